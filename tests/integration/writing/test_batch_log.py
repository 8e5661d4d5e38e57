"""The log of batches: an entry for each INSERT that commits, and what is added later."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.contracts.batches import describe_origin
from batching_demo.contracts.names import WritePath
from batching_demo.contracts.targets import OnConflict, TargetDeclaration
from batching_demo.database.batch_log.log import BatchLog
from batching_demo.database.errors import DatabaseFailedError
from batching_demo.database.targets.registry import Targets
from batching_demo.database.writing.rows import BatchInfo, Rows
from batching_demo.database.writing.writes import write_batch
from tests.support.commands import aside, assert_one_line
from tests.support.database import execute, fetch, scalar
from tests.support.own_tables import let_write
from tests.support.records import batch_info, record
from tests.support.writing import Statements, create_trigger, rows_of

pytestmark = pytest.mark.as_writer

COUNTS = "part, records, written, duplicate, conflict, rejected"


def info(reason: str = "age") -> BatchInfo:
    batch = batch_info(shard=3)
    return BatchInfo(batch.batch_id, batch.write_path, batch.shard, reason)


@pytest.mark.parametrize(
    ("path", "shard", "shown"),
    [
        (WritePath.BATCHED, 0, "shard 0"),
        (WritePath.QUEUED, 0, "queued shard 0"),
        (WritePath.QUEUED, None, "queued"),
        (WritePath.COALESCED, None, "coalesced"),
    ],
)
def test_the_path_of_a_batch(path: WritePath, shard: int | None, shown: str) -> None:
    assert describe_origin(path, shard) == shown


def keys(*names: str, by: str = "s") -> Rows:
    return rows_of((by, [record(name) for name in names]))


@pytest.fixture
async def log(engine: AsyncEngine) -> AsyncIterator[BatchLog]:
    log = BatchLog(engine, "7@host")
    yield log
    await log.close()


async def write(engine: AsyncEngine, rows: Rows, log: BatchLog, **options: Any) -> str:
    result = await write_batch(engine, rows, info(), log=log, **options)
    return "".join(result.codes)


async def counts(engine: AsyncEngine) -> list[tuple[object, ...]]:
    return await fetch(engine, f"SELECT {COUNTS} FROM batches ORDER BY id")


async def test_an_insert_writes_its_entry(engine: AsyncEngine, log: BatchLog) -> None:
    statements, batch = Statements(engine), info()
    await write_batch(engine, keys("a", "b"), batch, log=log)
    assert len(statements.sent) == 1
    values = "batch_id, part, shard, target, write_path, reason, attempt, records, written, worker"
    assert await fetch(engine, f"SELECT {values} FROM batches") == [
        (batch.batch_id, 1, 3, "records", "batched", "age", 1, 2, 2, "7@host")
    ]
    assert await scalar(engine, "SELECT duplicate FROM batches") is None
    joined = "SELECT count(*) FROM records JOIN batches USING (batch_id, written_at)"
    assert await scalar(engine, joined) == 2


async def test_results_are_added_later(engine: AsyncEngine, log: BatchLog) -> None:
    await write(engine, keys("a", "b"), log)
    await write(engine, rows_of(("t", [record("a"), record("b", {"n": 1}), record("c")])), log)
    assert await counts(engine) == [(1, 2, 2, None, None, None), (1, 3, 1, None, None, None)]
    await log.close()
    assert await counts(engine) == [(1, 2, 2, 0, 0, 0), (1, 3, 1, 1, 1, 0)]
    assert await scalar(engine, "SELECT min(milliseconds) >= 0 FROM batches")


async def test_an_insert_that_stores_nothing_has_its_entry(
    engine: AsyncEngine, log: BatchLog
) -> None:
    await write(engine, keys("a"), log)
    assert await write(engine, keys("a", by="t"), log) == "d"
    await log.close()
    assert (await counts(engine))[1:] == [(1, 1, 0, 1, 0, 0)]


async def test_a_repeated_batch_that_inserts_nothing_has_none(
    engine: AsyncEngine, log: BatchLog
) -> None:
    await write(engine, keys("a"), log)
    assert await write(engine, keys("a"), log, attempt=2) == "w"
    await log.close()
    assert await counts(engine) == [(1, 1, 1, 0, 0, 0)]


async def test_each_part_of_a_halved_batch_has_an_entry(engine: AsyncEngine, log: BatchLog) -> None:
    bad = record("c", {"text": "\0"})
    rows = rows_of(("s", [record("a"), record("b"), bad, record("d")]))
    assert await write(engine, rows, log) == "wwrw"
    await log.close()
    assert await counts(engine) == [(1, 2, 2, 0, 0, 1), (2, 1, 1, None, None, None)]


async def test_each_insert_of_a_cut_batch_has_an_entry(engine: AsyncEngine, log: BatchLog) -> None:
    await write(engine, keys("a", "b", "c"), log, rows_per_statement=2)
    assert [row[:3] for row in await counts(engine)] == [(1, 2, 2), (2, 1, 1)]


async def test_what_fails_has_no_entry(engine: AsyncEngine, log: BatchLog) -> None:
    await create_trigger(engine, "BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '42501'; END")
    with pytest.raises(DatabaseFailedError):
        await write(engine, keys("a", "b"), log)
    assert await counts(engine) == []


async def test_a_log_that_cannot_be_written_blames_no_record(
    engine: AsyncEngine, log: BatchLog
) -> None:
    await write(engine, keys("a"), log)
    await execute(engine, "ALTER TABLE batches RENAME TO elsewhere")
    with pytest.raises(DatabaseFailedError, match="batching-demo db upgrade"):
        await write(engine, keys("b", "c"), log)
    assert await scalar(engine, "SELECT count(*) FROM dead_letters") == 0


@pytest.mark.parametrize("rule", [OnConflict.IGNORE, OnConflict.UPDATE])
async def test_own_tables_have_entries_too(
    engine: AsyncEngine, log: BatchLog, rule: OnConflict
) -> None:
    await execute(engine, "CREATE TABLE orders (id text PRIMARY KEY, item text)")
    declared = TargetDeclaration("Orders", "orders", ("id",), on_conflict=rule, receipts=True)
    await let_write(engine, declared)
    target = await Targets([declared]).find(engine, "Orders")
    for item, other in (("pen", "1"), ("ink", "2")):
        rows = rows_of((item, [record("", {"id": one, "item": item}) for one in ("0", other)]))
        await write_batch(engine, rows, info(), target, log=log)
    await log.close()
    inserts = [(1, 2, 2, 0, 0, 0), (1, 2, 1, *((0, 1) if rule is OnConflict.IGNORE else (0, 0)), 0)]
    changes = [(2, 1, 1, None, None, None)] if rule is OnConflict.UPDATE else []
    assert await counts(engine) == [*inserts, *changes]
    assert await scalar(engine, "SELECT DISTINCT target FROM batches") == "Orders"


@pytest.mark.usefixtures("on_servers")
class TestCommand:
    async def listed(self, *arguments: str) -> list[tuple[str, int, int]]:
        result = await aside("batches", *arguments, "--json")
        entries = json.loads(result.stdout)["entries"]
        return [(entry["reason"], entry["records"], entry["written"]) for entry in entries]

    async def test_lists_the_newest_first(self, engine: AsyncEngine, log: BatchLog) -> None:
        result = await aside("batches")
        assert (result.exit_code, result.stdout) == (0, "no such batches in the log\n")
        await write_batch(engine, keys("a"), info("age"), log=log)
        await write_batch(engine, keys("a", "b"), info("budget"), log=log)
        await log.close()
        header, first, _ = (await aside("batches")).stdout.splitlines()
        assert header.split()[:5] == ["batch", "part", "path", "target", "reason"]
        assert first.split()[1:11] == [
            *("1", "shard", "3", "records", "budget", "2", "1", "0", "0", "0")
        ]
        newest = (await aside("batches", "--limit", "1")).stdout.splitlines()
        assert newest[1].split() == first.split()
        assert newest[2:] == ["1 of 2; --limit 2 shows 1 more"]
        assert await self.listed() == [("budget", 2, 1), ("age", 1, 1)]

    async def test_filters(self, engine: AsyncEngine, log: BatchLog) -> None:
        batch = info("age")
        await write_batch(engine, keys("a"), batch, log=log)
        await write_batch(engine, keys("b"), info("records"), log=log)
        await log.close()
        for chosen in (("--reason", "age"), ("--batch", str(batch.batch_id))):
            assert await self.listed(*chosen) == [("age", 1, 1)]
        for chosen in (("--shard", "3"), ("--target", "records"), ("--write-path", "batched")):
            assert len(await self.listed(*chosen)) == 2
        for chosen in (("--shard", "4"), ("--target", "x"), ("--batch", str(uuid4()))):
            assert await self.listed(*chosen) == []
        assert_one_line(await aside("batches", "--batch", "x"), 2, "--batch")
