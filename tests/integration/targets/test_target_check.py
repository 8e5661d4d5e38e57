"""What stands against a user's own table as a target."""

import asyncio
from typing import Any, cast

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.batcher_service import target_check
from batching_demo.contracts.targets import OnConflict, TargetDeclaration
from batching_demo.database.engine import create_engine
from batching_demo.database.errors import DatabaseFailedError, FailureKind
from batching_demo.database.targets.check import TargetError, check_targets, expect_unchanged
from batching_demo.database.targets.records import RECORDS
from batching_demo.database.targets.registry import Targets
from tests.support.database import direct, execute, execute_at
from tests.support.own_tables import check, declared, new_name, own_target
from tests.support.postgres import ChosenPostgres
from tests.support.waiting import LONG_SECONDS, eventually

TABLE = "CREATE TABLE {t} (k text PRIMARY KEY, n int, m int NOT NULL DEFAULT 1)"
NEWEST = OnConflict.NEWEST
PROBLEMS = {
    "no table": ("", {}, ["there is no table {t}: create it, or correct its name"]),
    "capitals": ('CREATE TABLE "{T}" (k text)', {}, ['is it public."{T}"?']),
    "no name": ("", {"table": "a.b.c"}, ["table is 'a.b.c', which is no name of a table"]),
    "a view": ("CREATE VIEW {t} AS SELECT 1 AS k", {}, ["is a view: name the table behind it"]),
    "a materialized view": (
        "CREATE MATERIALIZED VIEW {t} AS SELECT 1 AS k",
        {},
        ["is a materialized view, which takes no rows"],
    ),
    "a foreign table": (
        "CREATE FOREIGN TABLE {t} (k text) SERVER far",
        {},
        ["is a foreign table, and Postgres checks no key there"],
    ),
    "a sequence": ("CREATE SEQUENCE {t}", {}, ["{t} is a sequence: name a table"]),
    "not unique": (
        "CREATE TABLE {t} (k text, id int PRIMARY KEY)",
        {},
        ["nothing makes the key (k) unique: add a unique constraint on it, or name the columns of"
         " one that is there: (id)"],
    ),
    "a partial index": (
        "CREATE TABLE {t} (k text); CREATE UNIQUE INDEX {t}_i ON {t} (k) WHERE k <> ''",
        {},
        ["(index {t}_i is partial)"],
    ),
    "a deferrable constraint": (
        "CREATE TABLE {t} (k text CONSTRAINT {t}_i UNIQUE DEFERRABLE)",
        {},
        ["(index {t}_i is deferrable)"],
    ),
    "an expression": (
        "CREATE TABLE {t} (k text); CREATE UNIQUE INDEX {t}_i ON {t} (k, lower(k))",
        {},
        ["(index {t}_i is on expressions)"],
    ),
    "an invalid index": (
        "CREATE TABLE {t} (k text); CREATE UNIQUE INDEX {t}_i ON {t} (k);"
        " UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{t}_i'::regclass",
        {},
        ["(index {t}_i is not valid)"],
    ),
    "another collation": (
        "CREATE TABLE {t} (k text COLLATE \"C\");"
        ' CREATE UNIQUE INDEX {t}_i ON {t} (k COLLATE "POSIX")',
        {},
        ["(index {t}_i is of another collation than its column)"],
    ),
    "a part of the key": (
        "CREATE TABLE {t} (k text, a int, UNIQUE (k, a))",
        {},
        ["unique constraint on it, or name the columns of one that is there: (k, a)"],
    ),
    "columns that are not there": (
        TABLE,
        {"key": ("ks",), "columns": {"nn": "x"}, "returned": ("idd",), "on_conflict": NEWEST,
         "newest_by": "version"},
        [
            "key names column ks, which is not there: is it k?",
            "columns names column nn, which is not there: is it n?",
            "newest_by names column version, which is not there: there are k, n, m",
            "return names column idd, which is not there",
        ],
    ),
    "a generated column": (
        "CREATE TABLE {t} (k text PRIMARY KEY, g int GENERATED ALWAYS AS (1) STORED)",
        {"columns": {"g": "x"}},
        ["column g is generated, so nothing can fill it: leave it out"],
    ),
    "an identity as the key": (
        "CREATE TABLE {t} (k int GENERATED ALWAYS AS IDENTITY PRIMARY KEY)",
        {},
        ["column k is GENERATED ALWAYS AS IDENTITY: leave it out"],
    ),
    "nothing fills it": (
        "CREATE TABLE {t} (k text PRIMARY KEY, n int NOT NULL)",
        {"columns": {"n": None}},
        ["column n is NOT NULL without a default, and nothing fills it: map it"],
    ),
    "update without receipts": (
        TABLE,
        {"on_conflict": OnConflict.UPDATE},
        ['on_conflict = "update" is not safe to repeat'],
    ),
    "newest without newest_by": (TABLE, {"on_conflict": NEWEST}, ["needs newest_by"]),
    "newest_by without newest": (TABLE, {"newest_by": "n"}, ["newest_by is for on_conflict ="]),
    "newest_by that nothing fills": (
        TABLE,
        {"on_conflict": NEWEST, "newest_by": "n", "columns": {"n": None}},
        ["columns leaves n to its default, and it has to be filled: name a field"],
    ),
    "newest_by in the key": (
        TABLE,
        {"on_conflict": NEWEST, "newest_by": "k"},
        ["newest_by is k, a column of the key"],
    ),
    "more columns than an object takes": (
        TABLE,
        {"returned": ("k",) * 51},
        ["return names 51 columns, and Postgres takes 50 in one object: return fewer"],
    ),
    "a rule": (
        f"{TABLE}; CREATE RULE ours AS ON INSERT TO {{t}} DO ALSO NOTHING",
        {},
        ["rule ours replaces what is written"],
    ),
    "no replica identity": (
        "CREATE TABLE {t} (k text NOT NULL UNIQUE, n int); CREATE PUBLICATION of_{t} FOR TABLE {t}",
        {"on_conflict": NEWEST, "newest_by": "n"},
        ["does not have a replica identity and publishes updates (SQLSTATE 55000): change the"],
    ),
    "several at once": (
        "CREATE TABLE {t} (k text, g int GENERATED ALWAYS AS (1) STORED)",
        {"columns": {"g": "x"}, "on_conflict": OnConflict.UPDATE},
        ["not safe to repeat", "column g is generated", "nothing makes the key (k) unique"],
    ),
}  # fmt: skip
"""Statements, what the declaration says, and the problems."""


@pytest.mark.parametrize(("made", "says", "problems"), PROBLEMS.values(), ids=list(PROBLEMS))
async def test_what_stands_against_a_target(
    shop: AsyncEngine, made: str, says: dict[str, object], problems: list[str]
) -> None:
    name = new_name()
    names = {"t": name, "T": name.upper()}
    await execute(shop, *(one.format(**names) for one in made.split(";") if one))
    declaration = TargetDeclaration(**{"name": "own", "table": name, "key": ("k",), **says})  # type: ignore[arg-type]  # of the parameters above
    found = await check(shop, declaration)
    assert found.target is None
    assert len(found.problems) == len(problems), found.problems
    for words in problems:
        assert any(words.format(**names) in one for one in found.problems), found.problems


async def test_privileges_are_those_of_the_columns_that_are_used(shop: AsyncEngine) -> None:
    name = new_name()
    role = f"writer_{name}"
    columns = "k text PRIMARY KEY, n int, id bigint GENERATED ALWAYS AS IDENTITY, s serial"
    await execute(
        shop,
        f"CREATE TABLE billing.{name} ({columns})",
        f"CREATE ROLE {role}",
        f"GRANT INSERT (k, s) ON billing.{name} TO {role}",
    )
    declaration = declared(f"billing.{name}", on_conflict=NEWEST, newest_by="n", returned=["id"])

    async def lacking() -> list[str]:
        async with direct(shop).connect() as connection:
            await connection.exec_driver_sql(f"SET ROLE {role}")
            try:
                [found] = await check_targets(connection, [declaration])
            finally:
                await connection.exec_driver_sql("RESET ROLE")
        for one in found.problems:
            assert one.endswith(f" TO {role}")
        return [one.partition(":")[0].removeprefix(f"role {role} lacks ") for one in found.problems]

    assert await lacking() == [
        "USAGE on schema billing",
        f"INSERT on billing.{name} (n)",
        f"SELECT on billing.{name} (k, n, id, s)",
        f"UPDATE on billing.{name} (k, n, s)",
        f"USAGE on billing.{name}_s_seq",
    ]
    await execute(
        shop,
        f"GRANT INSERT (n), UPDATE (k, n, s), SELECT ON billing.{name} TO {role}",
        f"GRANT USAGE ON SCHEMA billing TO {role}",
        f"GRANT USAGE ON SEQUENCE billing.{name}_s_seq TO {role}",
    )
    assert await lacking() == []


async def test_triggers_policies_and_heirs_are_warned_of(shop: AsyncEngine) -> None:
    name, role = new_name(), new_name()
    await execute(
        shop,
        f"CREATE TABLE {name} (k text PRIMARY KEY)",
        "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        f"CREATE TRIGGER early BEFORE INSERT ON {name} FOR EACH ROW EXECUTE FUNCTION meddle()",
        f"CREATE TRIGGER late AFTER INSERT ON {name} FOR EACH ROW EXECUTE FUNCTION meddle()",
        f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY",
        f"CREATE ROLE {role}",
        f"GRANT INSERT, SELECT ON {name} TO {role}",
    )
    async with direct(shop).connect() as connection:
        await connection.exec_driver_sql(f"SET ROLE {role}")
        try:
            [found] = await check_targets(connection, [declared(name)])
        finally:
            await connection.exec_driver_sql("RESET ROLE")
    assert found.target
    assert found.target.before_triggers == ("early",)
    assert [one.split()[:3] for one in found.warnings] == [
        ["BEFORE", "trigger", "early"],
        ["row", "level", "security"],
    ]
    assert (await check(shop, declared(name, receipts=True))).warnings == []
    await execute(shop, f"CREATE TABLE {name}_more () INHERITS ({name})")
    [warning] = (await check(shop, declared(name, receipts=True))).warnings
    assert warning.startswith(f"tables inherit from it, such as {name}_more: a record is compared")


CHANGES = {
    "ALTER TABLE {t} RENAME TO {t}_old": "there is no table {t}",
    "DROP TABLE {t}": "there is no table {t}",
    "ALTER TABLE {t} DROP COLUMN n": "column n is gone",
    "ALTER TABLE {t} ALTER n TYPE text": "column n was integer and is text",
    "ALTER TABLE {t} ALTER n SET NOT NULL": "column n is NOT NULL without a default",
    "ALTER TABLE {t} ALTER m DROP DEFAULT": "column m is NOT NULL without a default",
    "ALTER TABLE {t} ADD z int NOT NULL": "column z is new, NOT NULL and without a default",
    "ALTER TABLE {t} DROP CONSTRAINT {t}_pkey": "nothing makes the key (k) unique",
}


@pytest.mark.parametrize(("statement", "words"), CHANGES.items(), ids=list(CHANGES))
async def test_a_table_that_changes_is_the_operators_to_mend(
    shop: AsyncEngine, statement: str, words: str
) -> None:
    name = new_name()
    target = await own_target(shop, declared(name), TABLE.format(t=name))
    await execute(shop, f"ALTER TABLE {name} ADD more text, ADD id serial")
    async with shop.connect() as connection:
        await expect_unchanged(connection, target)
        await execute(shop, statement.format(t=name))
        with pytest.raises(DatabaseFailedError) as caught:
            await expect_unchanged(connection, target)
    assert caught.value.failure.kind is FailureKind.OPERATOR
    assert words.format(t=name) in str(caught.value)
    is_gone = "cannot work any more" in str(caught.value)
    advice = ("create it, or correct its name", "add a unique constraint on it")
    assert str(caught.value).endswith(advice if is_gone else "or restart the batcher workers")


async def test_the_registry_keeps_a_target_as_it_was_first(shop: AsyncEngine) -> None:
    name = new_name()
    await execute(shop, TABLE.format(t=name))
    targets = Targets([declared(name)])
    assert (targets.names, "own" in targets, "other" in targets) == (
        ["records", "own"],
        True,
        False,
    )
    assert await targets.find(shop, "records") is RECORDS
    found = await targets.find(shop, "own")
    await execute(shop, f"ALTER TABLE {name} DROP COLUMN n")
    await targets.reflect_all(shop)
    assert await targets.find(shop, "own") is found


async def test_a_registry_names_every_problem_of_all_targets(shop: AsyncEngine) -> None:
    other = TargetDeclaration("other", "nowhere.none", ("k",))
    targets = Targets([declared("none"), other])
    with pytest.raises(TargetError) as caught:
        await targets.reflect_all(shop)
    assert str(caught.value) == (
        "target own cannot work: there is no table none: create it, or correct its name;"
        " target other cannot work: there is no table nowhere.none: create it, or correct its name"
    )
    with pytest.raises(DatabaseFailedError, match="target own cannot work"):
        await targets.find(shop, "own")


@pytest.mark.parametrize("name", ["records", "a b"])
def test_a_name_that_no_target_can_have(name: str) -> None:
    with pytest.raises(TargetError, match=r"choose another name|is no name of a target"):
        Targets([TargetDeclaration(name, "t", ("k",))])
    with pytest.raises(TargetError, match="declared twice"):
        Targets([declared("t"), declared("u")])


async def test_a_worker_polls_until_a_database_is_there_whose_table_does_not_fit(
    postgres: ChosenPostgres, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def poll(_worker: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(target_check, "RETRY_SECONDS", 0.1)
    name = new_name()
    engine = create_engine(postgres.url_of(name), application_name="tests")
    plugin = target_check.TargetsPlugin(engine, Targets([declared("none")]))
    running = asyncio.create_task(plugin.run_worker(cast(Any, None), poll))

    async def waits() -> None:
        assert "cannot check the targets yet: the database in DATABASE_URL" in caplog.text

    await eventually(waits)
    await execute_at(postgres.url, f"CREATE DATABASE {name}")
    with pytest.raises(TargetError, match="target own cannot work: there is no table none"):
        await asyncio.wait_for(running, LONG_SECONDS)
    await engine.dispose()


async def test_postgres_plans_the_statements_before_any_record(shop: AsyncEngine) -> None:
    name = new_name()
    declaration = declared(name, receipts=True)
    await execute(shop, TABLE.format(t=name), "ALTER TABLE receipts RENAME TO receipts_old")
    try:
        found = await check(shop, declaration)
    finally:
        await execute(shop, "ALTER TABLE receipts_old RENAME TO receipts")
    assert found.target is None
    assert found.problems[0] == (
        'Postgres refuses to insert new keys: relation "receipts" does not exist (SQLSTATE 42P01):'
        " run `batching-demo db upgrade`"
    )
    assert (await check(shop, declaration)).target
