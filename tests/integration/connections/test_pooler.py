"""PgBouncer in front of Postgres: what is set in a session is lost there, and so is all else."""

import asyncio
from collections.abc import Iterator

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.batcher_service.verdicts import gather
from batching_demo.database import engine as engine_module
from batching_demo.database.connection.pooler import Connection, PooledConnection, set_local
from batching_demo.database.engine import create_engine, create_transactional_engine
from batching_demo.database.errors import sqlstate_of
from batching_demo.database.writing.writes import write_batch
from batching_demo.settings import POOLERS, Pooler
from tests.support.commands import aside, run
from tests.support.database import execute, execute_at, scalar
from tests.support.debian import needs_pgbouncer
from tests.support.postgres import ChosenPostgres, open_directory
from tests.support.records import batch_info, record, submission
from tools.pgbouncer import running_pgbouncer, through

pytestmark = [needs_pgbouncer, pytest.mark.no_pooler]
OURS = ",".join(engine_module.SESSION_SETTINGS)
CONNECTIONS = 5
CASES = {
    "transaction": {"mode": "transaction"},
    "transaction, our settings ignored": {
        "mode": "transaction",
        "ignore_startup_parameters": OURS,
    },
    "session": {"mode": "session", "default_pool_size": str(CONNECTIONS)},
    "session, our settings ignored": {
        "mode": "session",
        "default_pool_size": str(CONNECTIONS),
        "ignore_startup_parameters": OURS,
    },
}


@pytest.fixture(params=CASES.values(), ids=list(CASES))
def pooled_url(
    request: pytest.FixtureRequest, postgres: ChosenPostgres, database_url: str
) -> Iterator[str]:
    with (
        open_directory() as directory,
        running_pgbouncer(postgres, directory, **request.param) as port,
    ):
        yield through(port, database_url)


@pytest.fixture
def transaction_url(postgres: ChosenPostgres, database_url: str) -> Iterator[str]:
    with open_directory() as directory, running_pgbouncer(postgres, directory) as port:
        yield through(port, database_url)


async def driver_of(engine: AsyncEngine) -> type:
    async with engine.connect() as connection:
        return type((await connection.get_raw_connection()).driver_connection)


@pytest.mark.parametrize("pooler", POOLERS)
async def test_many_writes_share_its_sessions(pooled_url: str, pooler: Pooler) -> None:
    engine = create_engine(
        pooled_url, application_name="tests", pool_size=CONNECTIONS, pooler=pooler
    )

    async def write(name: str) -> str:
        rows = gather([submission(name, [record(name), record("shared")])]).rows
        return "".join((await write_batch(engine, rows, batch_info())).codes)

    codes = await asyncio.gather(*(write(f"s{number}") for number in range(40)))
    assert sorted(codes) == ["wd"] * 39 + ["ww"]
    await engine.dispose()


async def test_settings_hold_in_every_transaction(pooled_url: str) -> None:
    url = f"{pooled_url}?options=-csearch_path%3Delsewhere,public"
    engine = create_engine(url, application_name="tests", pool_size=CONNECTIONS)
    expected = {
        **engine_module.TRANSACTION_SETTINGS,
        "transaction_isolation": "read committed",
        "search_path": "elsewhere,public",
    }
    found = {name: await scalar(engine, f"SELECT current_setting('{name}')") for name in expected}
    assert found == expected
    assert await driver_of(engine) is PooledConnection
    await engine.dispose()


@pytest.mark.parametrize("pooler", POOLERS)
async def test_the_statement_timeout_fires(
    transaction_url: str, pooler: Pooler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "TRANSACTION_SETTINGS", {"statement_timeout": "100ms"})
    engine = create_engine(transaction_url, application_name="tests", pooler=pooler)
    with pytest.raises(DBAPIError) as failed:
        await scalar(engine, "SELECT pg_sleep(60)")
    assert sqlstate_of(failed.value) == "57014"
    assert await scalar(engine, "SELECT 1") == 1
    await engine.dispose()


FAILURES = {
    "a statement": ("INSERT INTO target VALUES (1), (2), (2 / 0)", {}, "22012"),
    "a parameter": ("INSERT INTO target VALUES (:number)", {"number": "one"}, "22000"),
    "a commit": ("INSERT INTO target VALUES (7)", {}, "23503"),
    "a warning as an error": (
        "DO $$BEGIN RAISE EXCEPTION '' USING ERRCODE = '02000'; END$$",
        {},
        "02000",
    ),
    "a name": ("INSERT INTO absent VALUES (1)", {}, "42P01"),
}


@pytest.mark.parametrize(("sql", "parameters", "sqlstate"), FAILURES.values(), ids=list(FAILURES))
async def test_what_fails_leaves_nothing_behind(
    transaction_url: str,
    engine: AsyncEngine,
    sql: str,
    parameters: dict[str, object],
    sqlstate: str,
) -> None:
    """And the next statement on the connection is none the worse for it."""
    await execute(
        engine,
        "CREATE TABLE of (number int PRIMARY KEY)",
        "CREATE TABLE target (number int REFERENCES of DEFERRABLE INITIALLY DEFERRED)",
    )
    pooled = create_engine(transaction_url, application_name="tests", pool_size=1)
    async with pooled.connect() as connection:
        with pytest.raises((DBAPIError, asyncpg.PostgresWarning)) as failed:
            await connection.execute(text(sql), parameters)
        assert sqlstate_of(failed.value) == sqlstate
        await connection.execute(text("INSERT INTO of VALUES (1)"))
        await connection.execute(text("INSERT INTO target VALUES (1)"))
    assert await scalar(engine, "SELECT sum(number) FROM target") == 1
    await pooled.dispose()


async def test_a_transaction_stays_one(transaction_url: str) -> None:
    engine = create_transactional_engine(transaction_url, application_name="tests")
    async with engine.connect() as connection:
        before = await connection.scalar(text("SELECT txid_current()"))
        assert await connection.scalar(text("SELECT txid_current()")) == before
        await connection.execute(text("CREATE TABLE undone ()"))
        await connection.rollback()
        assert await connection.scalar(text("SELECT to_regclass('undone')")) is None
    await engine.dispose()


async def test_nothing_else_is_taken_for_a_pooler(engine: AsyncEngine, on_servers: None) -> None:
    assert await driver_of(engine) is Connection
    assert "through a pooler" not in (await aside("doctor")).stdout


async def test_commands_work_through_it(
    transaction_url: str, on_servers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", transaction_url)
    for statement in ("DROP SCHEMA public CASCADE", "CREATE SCHEMA public"):
        await execute_at(transaction_url, statement)
    upgraded = await aside("db", "upgrade")
    assert (upgraded.exit_code, upgraded.stdout[:19]) == (0, "schema is at revisi"), upgraded.output
    listed = await aside("dead-letters", "list", "--pooler", "transaction")
    assert (listed.exit_code, listed.output) == (0, "no open dead letters\n")
    looked = (await aside("doctor")).stdout
    assert "through a pooler" in looked
    # Of a superuser the doctor notes that no worker needs one.
    for line, outcome in zip(looked.splitlines()[2:6], ("ok", "ok", "note", "ok"), strict=True):
        assert line.startswith(outcome), looked


def test_the_option_says_what_there_is() -> None:
    assert "auto, transaction" in run("doctor", "--pooler", "no").output.replace("'", "")


def test_settings_are_quoted() -> None:
    assert set_local({"a": "b'c"}) == "SELECT set_config('a', 'b''c', true)"
