"""Run `batching-demo db roles`, and try what roles may do."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from batching_demo.contracts.encoding import PreparedRecord
from batching_demo.database.batch_log.log import BatchLog
from batching_demo.database.engine import create_engine
from batching_demo.database.errors import sqlstate_of
from batching_demo.database.roles.names import Roles
from batching_demo.database.roles.privileges import READ
from batching_demo.database.writing.writes import write_batch
from batching_demo.doctor.check import Check
from batching_demo.doctor.postgres.checks import check_postgres
from batching_demo.settings import Settings
from tests.support.commands import aside
from tests.support.database import execute, execute_at, fetch, scalar
from tests.support.records import batch_info, record
from tests.support.roles import PASSWORD, let_log_in, url_as
from tests.support.writing import rows_of

NO_PRIVILEGE = "42501"
OWNERS = f"SELECT DISTINCT tableowner FROM pg_tables WHERE tablename = ANY(ARRAY{[*READ]})"


async def call(url: str, *arguments: str) -> Result:
    """Run a command with a database."""
    return await aside_with({"DATABASE_URL": url}, *arguments)


async def aside_with(environ: Mapping[str, str], *arguments: str) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        return await aside(*arguments)


async def roles(url: str, *arguments: str) -> Result:
    return await call(url, "db", "roles", *arguments)


async def select(url: str, sql: str) -> list[tuple[object, ...]]:
    engine = create_engine(url, application_name="tests")
    try:
        return await fetch(engine, sql)
    finally:
        await engine.dispose()


async def write_something(url: str) -> str:
    """Write a record, a duplicate and a dead letter, with their entry in the log of batches."""
    engine = create_engine(url, application_name="tests")
    log = BatchLog(engine, "worker")
    rows = rows_of(
        ("s", [record("a"), PreparedRecord("b", 2, "{", b"", "invalid_json: no")]),
        ("t", [record("a")]),
    )
    result = await write_batch(engine, rows, batch_info(), log=log)
    await log.close()
    assert await scalar(engine, "SELECT count(duplicate) FROM batches") == 1
    await engine.dispose()
    return "".join(result.codes)


async def refusals(url: str, *statements: str) -> list[str | None]:
    """Return the SQLSTATE with which each statement is refused; None for one that is not."""
    engine = create_engine(url, application_name="tests", pool_size=1)
    found: list[str | None] = []
    for statement in statements:
        try:
            await execute(engine, statement)
        except DBAPIError as error:
            found.append(sqlstate_of(error))
        else:
            found.append(None)
    await engine.dispose()
    return found


async def admin_of(url: str, *attributes: str) -> str:
    """Make a role that owns the database, as hosted servers have; return the URL with it."""
    admin = f"admin_{make_url(url).database}"
    await execute_at(
        url,
        f"CREATE ROLE {admin} LOGIN PASSWORD '{PASSWORD}' {' '.join(attributes)}",
        f'ALTER DATABASE "{make_url(url).database}" OWNER TO {admin}',
    )
    return url_as(url, admin)


async def expect_roles_to_work(url: str, admin: str, prefix: str) -> None:
    """Have each of the roles do what it is for, from the first migration on."""
    made = Roles.of_prefix(prefix)
    migrator = f"migrator_{prefix}"
    await execute_at(
        admin,
        f"CREATE ROLE {migrator} LOGIN PASSWORD '{PASSWORD}' IN ROLE {made.owner}",
        f"ALTER ROLE {migrator} SET role = {made.owner}",
    )
    await let_log_in(admin, made.writer, made.reader)
    upgraded = await call(url_as(url, migrator), "db", "upgrade")
    assert upgraded.exit_code == 0, upgraded.output
    assert await select(url, OWNERS) == [(made.owner,)]
    assert await write_something(url_as(url, made.writer)) == "wrd"
    reader = url_as(url, made.reader)
    assert await select(reader, "SELECT rows FROM write_counts") == [(1,)]
    assert not any(await refusals(reader, *(f"SELECT FROM {table}" for table in READ)))
    insert = "INSERT INTO receipts VALUES ('s', 1, 't', 'w')"
    assert await refusals(reader, insert) == [NO_PRIVILEGE]
    assert (await check(url_as(url, made.writer))).outcome == "ok"


async def check(url: str) -> Check:
    """Return what the doctor says of a role."""
    checks = await check_postgres(Settings(Path(), url, database_origins=("DATABASE_URL",)))
    return next(one for one in checks if one.name == "permissions")
