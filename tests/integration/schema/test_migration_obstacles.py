"""What is in the way of a migration: one true line each, and nothing has changed."""

from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import make_url

from batching_demo.database.engine import create_engine
from batching_demo.database.schema.migrations import newest_revision
from batching_demo.doctor.postgres.checks import check_postgres
from batching_demo.settings import Settings
from tests.support.commands import aside, assert_one_line
from tests.support.database import execute_at, fetch

VERSION = "batching_demo_alembic_version"
MAKE_FOREIGN_VERSION = (
    "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);"
    "INSERT INTO alembic_version VALUES ('{}')"
)
OLD_VERSION = (
    f"ALTER TABLE {VERSION} RENAME TO alembic_version;"
    f"ALTER TABLE alembic_version RENAME CONSTRAINT {VERSION}_pkc TO alembic_version_pkc"
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


async def db_upgrade(url: str, monkeypatch: pytest.MonkeyPatch) -> Result:
    monkeypatch.setenv("DATABASE_URL", url)
    return await aside("db", "upgrade")


async def schema_check(url: str) -> str:
    """Return what the doctor says of the schema."""
    checks = {one.name: one for one in await check_postgres(Settings(Path(), url))}
    assert checks["schema"].outcome == "problem"
    return checks["schema"].detail


async def relations(url: str) -> set[str]:
    """Name tables and views of the schema public."""
    rows = await select(
        url,
        "SELECT table_name FROM information_schema.tables"
        " WHERE table_schema NOT IN ('pg_catalog', 'information_schema')",
    )
    return {str(name) for (name,) in rows}


async def select(url: str, sql: str) -> list[tuple[object, ...]]:
    engine = create_engine(url, application_name="tests")
    found = await fetch(engine, sql)
    await engine.dispose()
    return found


async def execute_each(url: str, statements: str) -> None:
    await execute_at(url, *filter(None, statements.split(";")))


async def role_of(url: str, *grants: str) -> str:
    """Make a role without privileges; return the URL with it."""
    role = f"role_{make_url(url).database}"
    await execute_at(
        url, f"CREATE ROLE {role} LOGIN PASSWORD 'hunter2'", *(f"{each} {role}" for each in grants)
    )
    changed = make_url(url).set(username=role, password="hunter2")
    return changed.render_as_string(hide_password=False)


@pytest.mark.parametrize("revision", ["8f1c2ab3d4e5", "0002"])
async def test_another_programs_version_table_is_left_alone(
    empty_database_url: str, revision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = empty_database_url
    await execute_each(url, MAKE_FOREIGN_VERSION.format(revision))
    result = await db_upgrade(url, monkeypatch)
    assert (result.exit_code, "Error" in result.stderr) == (0, False)
    assert {"alembic_version", VERSION, "records", "dead_letters"} <= await relations(url)
    assert await select(url, "SELECT * FROM alembic_version") == [(revision,)]
    assert await select(url, f"SELECT * FROM {VERSION}") == [(newest_revision(),)]


async def test_the_version_table_of_an_earlier_version_is_moved(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = database_url
    await execute_each(url, OLD_VERSION)
    for _ in range(2):
        result = await db_upgrade(url, monkeypatch)
        assert (result.exit_code, "Error" in result.stderr) == (0, False)
        assert "alembic_version" not in await relations(url)
        assert await select(url, f"SELECT * FROM {VERSION}") == [(newest_revision(),)]
    # Another program may make its own now, with the names that Alembic gives.
    await execute_at(
        url, "CREATE TABLE alembic_version (v text CONSTRAINT alembic_version_pkc PRIMARY KEY)"
    )


FOREIGN_TABLE = "CREATE TABLE records (id integer, title text)"
IN_THE_WAY = {
    FOREIGN_TABLE: "public.records is in the way, and not batching-demo's: rename it",
    "CREATE VIEW write_counts AS SELECT 1": "public.write_counts is in the way",
    "CREATE SEQUENCE dead_letters": "public.dead_letters is in the way",
    "CREATE TYPE records AS ENUM ('a')": 'in the way (type "records" already exists)',
    "DROP SCHEMA public": 'no schema of the search path ("$user", public) exists: create one',
}


@pytest.mark.parametrize("statements", IN_THE_WAY)
async def test_something_is_in_the_way_of_the_first_migration(
    empty_database_url: str, statements: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await execute_each(empty_database_url, statements)
    before = await relations(empty_database_url)
    result = await db_upgrade(empty_database_url, monkeypatch)
    assert_one_line(result, 1, IN_THE_WAY[statements], str(make_url(empty_database_url).database))
    assert "db upgrade" not in result.stderr
    assert await relations(empty_database_url) == before


OTHERWISE_MIGRATED = {
    f"UPDATE {VERSION} SET version_num = '9999'": "the schema is at revision 9999, and this"
    " version of batching-demo knows none after",
    f"{OLD_VERSION}; UPDATE alembic_version SET version_num = '9999'": "public.records is there,"
    f" but no {VERSION}, and alembic_version has no revision of this version",
    f"DROP TABLE {VERSION}": f"public.records is there, but no {VERSION}: if a newer version",
}


@pytest.mark.parametrize("statements", OTHERWISE_MIGRATED)
async def test_something_else_has_migrated_the_schema(
    database_url: str, statements: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await execute_each(database_url, statements)
    result = await db_upgrade(database_url, monkeypatch)
    assert_one_line(result, 1, OTHERWISE_MIGRATED[statements])
    assert "db upgrade" not in result.stderr
    assert (await schema_check(database_url)).startswith(OTHERWISE_MIGRATED[statements])


async def test_a_role_that_may_not_create(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await role_of(empty_database_url)
    role = make_url(url).username
    lacks = f"role {role} may not change schema public: grant CREATE on schema public to {role}"
    assert_one_line(await db_upgrade(url, monkeypatch), 1, lacks)
    assert await schema_check(url) == lacks
    await execute_at(empty_database_url, f"GRANT CREATE ON SCHEMA public TO {role}")
    assert (await db_upgrade(url, monkeypatch)).exit_code == 0
    await execute_at(empty_database_url, f"REVOKE CREATE ON SCHEMA public FROM {role}")
    # Nothing is to be created any more.
    assert (await db_upgrade(url, monkeypatch)).exit_code == 0


async def test_a_role_that_may_not_use_the_schema(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await execute_at(database_url, "REVOKE USAGE ON SCHEMA public FROM public")
    url = await role_of(database_url)
    role = make_url(url).username
    lacks = f"role {role} may not use schema public: grant USAGE on schema public to {role}"
    assert_one_line(await db_upgrade(url, monkeypatch), 1, lacks)
    assert await schema_check(url) == lacks


async def test_a_role_that_does_not_own_the_tables(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await execute_at(database_url, f"UPDATE {VERSION} SET version_num = '0002'")
    url = await role_of(
        database_url, "GRANT CREATE ON SCHEMA public TO", f"GRANT SELECT ON {VERSION} TO"
    )
    result = await db_upgrade(url, monkeypatch)
    assert_one_line(result, 1, "(must be owner of table records): grant CREATE", "as the owner")


@pytest.mark.parametrize(
    ("whose", "said"),
    [
        ("ROLE {role}", "read-only for role {role}: ALTER ROLE {role} SET"),
        ("DATABASE {database}", "read-only for database {database}: ALTER DATABASE {database} SET"),
        ("ROLE {role} IN DATABASE {database}", "read-only for role {role} in database {database}"),
    ],
)
async def test_a_database_that_is_read_only(
    empty_database_url: str, whose: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await role_of(empty_database_url, "GRANT CREATE ON SCHEMA public TO")
    names = {"role": make_url(url).username, "database": make_url(url).database}
    read_only = f"ALTER {whose.format(**names)} SET default_transaction_read_only = on"
    await execute_at(empty_database_url, read_only)
    result = await db_upgrade(url, monkeypatch)
    assert_one_line(result, 1, f"the database is {said.format(**names)}")
    assert said.format(**names) in await schema_check(url)


async def test_two_installations_in_two_schemas_do_not_meet(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await execute_at(empty_database_url, "CREATE SCHEMA one", "CREATE SCHEMA two")
    one, two = (
        make_url(empty_database_url)
        .update_query_dict({"options": f"-csearch_path={schema}"})
        .render_as_string(hide_password=False)
        for schema in ("one", "two")
    )
    for url in (one, two):
        assert (await db_upgrade(url, monkeypatch)).exit_code == 0
    await execute_at(one, f"UPDATE {VERSION} SET version_num = '9999'")
    assert (await db_upgrade(one, monkeypatch)).exit_code == 1
    assert (await db_upgrade(two, monkeypatch)).exit_code == 0
    checks = {check.name: check.detail for check in await check_postgres(Settings(Path(), two))}
    assert checks["schema"] == f"revision {newest_revision()} in schema two"
    assert (await aside("dead-letters", "list")).stdout == "no open dead letters\n"
    made = await select(
        empty_database_url,
        "SELECT table_schema, count(*) FROM information_schema.tables"
        f" WHERE table_name IN ('records', 'dead_letters', 'write_counts', '{VERSION}')"
        " GROUP BY 1 ORDER BY 1",
    )
    assert made == [("one", 4), ("two", 4)]
