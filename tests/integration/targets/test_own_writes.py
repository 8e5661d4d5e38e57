"""What a write to an own table promises: changes, triggers, and who is to blame."""

import asyncio
import json
from random import Random

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.contracts.batches import NOT_STORED
from batching_demo.contracts.names import WritePath
from batching_demo.contracts.targets import OnConflict
from batching_demo.database.errors import DatabaseFailedError, FailureKind
from batching_demo.database.writing import inserter
from batching_demo.database.writing.row_writer import OTHER_KEY, TAKEN
from batching_demo.database.writing.sender import Sender
from tests.support.database import execute, fetch, scalar
from tests.support.own_tables import declared, own_target
from tests.support.own_writes import STORED, create, rows, trigger, write
from tests.support.writing import PATHS, Statements, write_by

pytestmark = pytest.mark.as_writer
IGNORE, NEWEST, UPDATE = OnConflict
BATCHED = WritePath.BATCHED


async def test_writers_of_the_same_keys_in_other_orders_do_not_deadlock(
    engine: AsyncEngine,
) -> None:
    target = await create(engine, UPDATE, receipts=True)
    await trigger(engine, "PERFORM pg_sleep(0.01); RETURN NEW;")
    keys: list[dict[str, object]] = [{"k": f"{number:02}"} for number in range(30)]
    await write(engine, target, "before", *keys[::3])
    orders = [Random(seed).sample(keys, len(keys)) for seed in range(3)]
    writes = [
        write_by(BATCHED, engine, rows(f"s{at}", *order), target=target)
        for at, order in enumerate(orders)
    ]
    # So that there is a connection for each.
    await asyncio.gather(*(scalar(engine, "SELECT pg_sleep(0.1)") for _ in writes))
    codes = [result.codes for result in await asyncio.gather(*writes)]
    assert sum(code.count("w") for code in codes) == 20
    assert sum(code.count("u") for code in codes) == 70


@pytest.mark.parametrize("path", PATHS)
async def test_without_receipts_a_repeat_finds_duplicates(
    engine: AsyncEngine, path: WritePath
) -> None:
    target = await create(engine)
    payloads = [{"k": "a", "v": "x"}, {"k": "b", "version": "two"}, {"k": "a", "v": "x"}]
    first = await write_by(path, engine, rows("s", *payloads), target=target)
    assert "".join(first.codes) == "wrd"
    assert first.returned[0] == first.returned[2]
    again = await write_by(path, engine, rows("s", *payloads), target=target, attempt=2)
    assert "".join(again.codes) == "drd"
    assert await scalar(engine, "SELECT count(*) FROM receipts") == 0
    letters = "SELECT reason, sqlstate, record FROM dead_letters"
    assert [row[:2] for row in await fetch(engine, letters)] == [("refused_by_postgres", "22P02")]


async def test_the_newest_of_a_batch_is_written(engine: AsyncEngine) -> None:
    target = await create(engine, NEWEST)
    versions = [2, 3, 1, 3, "3"]
    made: list[dict[str, object]] = [{"k": "a", "version": version} for version in versions]
    made[3]["v"] = "other"
    assert await write(engine, target, "s", *made, {"k": "a", "version": None}) == "swscdr"
    assert await write(engine, target, "t", *made) == "sdscd"
    assert await write(engine, target, "u", {"k": "a", "version": 4}, {"k": "a"}) == "us"
    await execute(engine, "UPDATE own SET version = NULL")
    assert await write(engine, target, "v", {"k": "a", "version": 1}) == "u"
    assert await write(engine, target, "w", {"k": "a"}) == "d"
    assert await fetch(engine, "SELECT version FROM own") == [(1,)]


async def test_a_change_keeps_what_the_record_lacks(
    engine: AsyncEngine,
) -> None:
    target = await create(engine, UPDATE, receipts=True)
    await write(engine, target, "s", {"k": "a", "v": "x", "version": 7})
    row = "SELECT id, made_at, v, version FROM own"
    [(number, made_at, *_)] = await fetch(engine, row)
    assert await write(engine, target, "t", {"k": "a"}) == "u"
    assert await fetch(engine, row) == [(number, made_at, "x", 7)]
    assert await write(engine, target, "u", {"k": "a", "version": None}) == "u"
    assert await fetch(engine, row) == [(number, made_at, "x", None)]


@pytest.mark.parametrize(("rule", "again"), [(IGNORE, "d"), (NEWEST, "u"), (UPDATE, "u")])
async def test_a_batch_takes_few_statements(
    engine: AsyncEngine, rule: OnConflict, again: str
) -> None:
    target = await create(engine, rule, receipts=rule is UPDATE)
    statements = Statements(engine)
    made: list[dict[str, object]] = [{"k": f"{number}", "version": 2} for number in range(100)]
    assert await write(engine, target, "s", *made) == "w" * 100
    assert len(statements.sent) == 1
    newer = [one | {"version": 3} for one in made] if rule is NEWEST else made
    assert await write(engine, target, "t", *newer) == again * 100
    assert len(statements.sent) == 1 + 2
    if rule is NEWEST:
        assert await write(engine, target, "u", *made) == "s" * 100
        assert len(statements.sent) == 1 + 2 + 3


@pytest.mark.parametrize("path", PATHS)
async def test_one_foreign_key_of_a_hundred_costs_one_record(
    engine: AsyncEngine, path: WritePath
) -> None:
    await execute(engine, "CREATE TABLE parents (id integer PRIMARY KEY)")
    await execute(engine, "INSERT INTO parents SELECT generate_series(1, 9)")
    table = "CREATE TABLE own (id serial, k text PRIMARY KEY, parent integer REFERENCES parents)"
    target = await create(engine, table=table)
    statements = Statements(engine)
    made = [{"k": f"{n}", "parent": 10 if n == 42 else n % 9 + 1} for n in range(100)]
    result = await write_by(path, engine, rows("s", *made), target=target)
    assert result.codes == ["r" if n == 42 else "w" for n in range(100)]
    assert result.problems[42].sqlstate == "23503"
    if path is BATCHED:
        # As for `records`.
        assert statements.sent.count("WITH sent AS") <= 14
    ids = {(str(row), json.loads(text)["id"]) for row, text in result.returned.items()}
    assert ids == {*await fetch(engine, "SELECT k, id FROM own")}


@pytest.mark.parametrize("path", PATHS)
async def test_a_record_that_a_trigger_swallows_is_rejected(
    engine: AsyncEngine, path: WritePath
) -> None:
    target = await create(engine, UPDATE, receipts=True)
    await trigger(engine, "IF NEW.v = 'test' THEN RETURN NULL; END IF; RETURN NEW;")
    made = [{"k": "a"}, {"k": "b", "v": "test"}, {"k": "c", "v": "fine"}, {"k": "c", "v": "test"}]
    first = await write_by(path, engine, rows("s", *made), target=target)
    assert first.codes == ["w", "r", "w", "r"]
    problem = first.problems[1]
    assert (problem.reason, problem.detail) == (NOT_STORED, TAKEN)
    again = await write_by(path, engine, rows("s", *made), target=target, attempt=2)
    assert (again.codes, again.returned) == (first.codes, first.returned)
    update = await write_by(path, engine, rows("t", {"k": "a", "v": "test"}), target=target)
    assert update.codes == ["r"]
    assert await fetch(engine, STORED) == [("a", None), ("c", "fine")]


async def test_a_trigger_that_rewrites_a_column(engine: AsyncEngine) -> None:
    targets = {False: await create(engine)}
    targets[True] = await own_target(engine, declared("own", "k", receipts=True))
    await trigger(engine, "NEW.v = upper(NEW.v); RETURN NEW;")
    for receipts, code in ((True, "w"), (False, "c")):
        name = str(receipts)
        assert await write(engine, targets[receipts], name, {"k": name, "v": "x"}) == "w"
        assert await write(engine, targets[receipts], name, {"k": name, "v": "x"}) == code
    assert await fetch(engine, STORED) == [("False", "X"), ("True", "X")]


@pytest.mark.parametrize("path", PATHS)
async def test_a_key_that_a_trigger_changes_takes_nobodys_place(
    engine: AsyncEngine, path: WritePath
) -> None:
    # Reflected afterwards: it knows that there is a trigger.
    await create(engine)
    await trigger(engine, "NEW.k = lower(NEW.k); RETURN NEW;")
    target = await own_target(engine, declared("own", "k"))
    made = [{"k": "A", "v": "x"}, {"k": "a", "v": "y"}, {"k": "B"}, {"k": "c"}]
    result = await write_by(path, engine, rows("s", *made), target=target)
    assert result.codes == ["r", "c", "r", "w"]
    assert [result.problems[row].detail for row in (0, 2)] == [OTHER_KEY] * 2
    assert await fetch(engine, STORED) == [("a", "x"), ("b", None), ("c", None)]


async def test_json_is_compared_by_what_it_means(engine: AsyncEngine) -> None:
    target = await create(engine, table="CREATE TABLE own (id serial, k text PRIMARY KEY, v json)")
    await execute(engine, """INSERT INTO own (k, v) VALUES ('a', '{ "y":1,  "x":2 }')""")
    for value, code in (({"x": 2, "y": 1}, "d"), ({"x": 2}, "c")):
        assert await write(engine, target, "s", {"k": "a", "v": value}) == code


async def test_each_record_of_a_swallowed_key_is_tried(engine: AsyncEngine) -> None:
    target = await create(engine)
    await trigger(engine, "IF NEW.v < '5' THEN RETURN NULL; END IF; RETURN NEW;")
    made: list[dict[str, object]] = [{"k": "a", "v": str(number)} for number in range(7)]
    statements = Statements(engine)
    assert await write(engine, target, "s", *made) == "rrrrrwc"
    # A repetition of the first, and an INSERT and a look-up for each that is left.
    assert statements.sent.count("WITH sent AS") == 2 * 7


@pytest.mark.parametrize("rule", [IGNORE, UPDATE])
@pytest.mark.parametrize("path", PATHS)
async def test_who_is_to_blame_is_found_by_trying(
    engine: AsyncEngine,
    path: WritePath,
    rule: OnConflict,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inserter, "PAUSE_SECONDS", 0.0)
    target = await create(engine, rule, receipts=rule is UPDATE)
    key = "a" if rule is UPDATE else "b"
    await write(engine, target, "before", {"k": "a"}, {"k": "d"})
    moment = "BEFORE UPDATE" if rule is UPDATE else "BEFORE INSERT"
    await trigger(engine, "IF NEW.v = 'bad' THEN PERFORM NEW.absent; END IF; RETURN NEW;", moment)
    # Alone: a copy of another row passes.
    result = await write_by(path, engine, rows("s", {"k": key, "v": "bad"}), target=target)
    assert (result.codes, result.problems[0].sqlstate) == (["r"], "42703")
    await execute(engine, "DROP FUNCTION meddle CASCADE")
    await trigger(engine, "PERFORM NEW.absent; RETURN NEW;", moment)
    with pytest.raises(DatabaseFailedError) as failed:
        await write_by(path, engine, rows("t", {"k": key}, {"k": "d", "v": "y"}), target=target)
    assert failed.value.failure.kind is FailureKind.OPERATOR
    assert await scalar(engine, "SELECT count(*) FROM dead_letters") == 1


@pytest.mark.parametrize("rule", [IGNORE, UPDATE])
async def test_a_value_that_fails_by_itself_is_to_blame_for_any_code(
    engine: AsyncEngine, rule: OnConflict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a table with no row, and with a key of which no other can be made up."""
    monkeypatch.setattr(inserter, "PAUSE_SECONDS", 0.0)
    await execute(
        engine,
        "CREATE FUNCTION fails(integer) RETURNS boolean LANGUAGE plpgsql AS"
        " $$ BEGIN RETURN (SELECT true FROM absent); END $$",
        "CREATE DOMAIN checked AS integer CHECK (fails(VALUE))",
    )
    table = "CREATE TABLE own (id serial, k inet PRIMARY KEY, v tsquery, w regtype, x checked)"
    target = await create(engine, rule, receipts=rule is UPDATE, table=table)
    for name, value, sqlstate in (("v", "two words", "42601"), ("w", "absent", "42704")):
        bad = rows(name, {"k": "10.0.0.1", name: value})
        result = await write_by(BATCHED, engine, bad, target=target)
        assert (result.codes, result.problems[0].sqlstate) == (["r"], sqlstate)
    # What the owner of the table has made fails for all values.
    with pytest.raises(DatabaseFailedError) as failed:
        await write(engine, target, "s", {"k": "10.0.0.1", "x": 1})
    assert failed.value.failure.kind is FailureKind.OPERATOR


@pytest.mark.parametrize(
    ("key", "taken"),
    [
        *((kind, True) for kind in ("integer", "smallint", "bigint", "numeric(9,3)", "uuid")),
        *((kind, True) for kind in ("varchar(5)", "char(4)", "date", "timestamptz", "real")),
        *(("boolean", False), ("integer CHECK (k = 0)", False)),
    ],
)
async def test_a_copy_of_a_row_gets_another_key(engine: AsyncEngine, key: str, taken: bool) -> None:
    made_up = {"uuid": "gen_random_uuid()", "boolean": "true", "date": "'2024-01-01'"}
    value = made_up.get(key, "now()" if key == "timestamptz" else "0")
    target = await create(engine, table=f"CREATE TABLE own (id serial, k {key} PRIMARY KEY)")
    async with engine.connect() as connection:
        copies = target.sql.insert_copy
        assert (copies is not None) is (key != "boolean")
        if copies:
            sender = Sender(connection)
            assert not await sender.would_store(copies.text, ())
            await execute(engine, f"INSERT INTO own (k) VALUES ({value})")
            assert await sender.would_store(copies.text, ()) is taken
    assert await scalar(engine, "SELECT count(*) FROM own") == (0 if copies is None else 1)


@pytest.mark.parametrize(
    "change", ["DROP TABLE own", "ALTER TABLE own DROP v", "DROP TABLE receipts"]
)
async def test_a_table_that_goes_is_the_operators_to_mend(engine: AsyncEngine, change: str) -> None:
    target = await create(engine, UPDATE, receipts=True)
    await write(engine, target, "s", {"k": "a"})
    await execute(engine, change)
    for name in ("s", "t"):
        with pytest.raises(DatabaseFailedError) as failed:
            await write(engine, target, name, {"k": "a"}, {"k": "b"})
        assert failed.value.failure.kind is FailureKind.OPERATOR
    assert await scalar(engine, "SELECT count(*) FROM dead_letters") == 0
