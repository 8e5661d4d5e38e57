"""Synchronous replication: what a standby lacks is not written, whoever has seen it already."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.contracts.names import WritePath
from batching_demo.database.engine import create_engine
from batching_demo.database.errors import DatabaseFailedError
from batching_demo.database.targets.records import RECORDS
from batching_demo.database.writing.rows import Rows
from batching_demo.database.writing.target import Target
from tests.support.database import scalar
from tests.support.own_tables import declared, new_name, own_target
from tests.support.postgres import TEMPLATE, running_postgres
from tests.support.records import record
from tests.support.standbys import cancel_waits, expect_waiting_commits, missing_standby
from tests.support.waiting import eventually
from tests.support.writing import PATHS, Statements, create_trigger, rows_of, write_by


@pytest.fixture(scope="module")
async def replicated(cluster: Path) -> AsyncIterator[AsyncEngine]:
    """The database of a server that a test may set standbys of."""
    with running_postgres(cluster) as server:
        engine = create_engine(server.url_of(TEMPLATE), application_name="tests")
        yield engine
        await engine.dispose()


async def expect_cancelled_by_client(
    path: WritePath, engine: AsyncEngine, rows: Rows, target: Target = RECORDS
) -> None:
    """Write until the commit waits, and give up as after a time-out."""
    writing = asyncio.create_task(write_by(path, engine, rows, target=target))
    await expect_waiting_commits(engine, 1)
    writing.cancel()
    await asyncio.wait([writing])
    assert writing.cancelled()
    await expect_waiting_commits(engine, 0)


@pytest.mark.parametrize("path", PATHS)
async def test_a_row_that_is_only_seen_is_not_written(
    replicated: AsyncEngine, path: WritePath
) -> None:
    own = rows_of((f"{path} s", [record(f"{path} a"), record(f"{path} b")]))
    other = rows_of((f"{path} t", [record(f"{path} a"), record(f"{path} a", {"x": 1})]))
    async with missing_standby(replicated):
        await expect_cancelled_by_client(path, replicated, own)
        seen = f"SELECT count(*) FROM records WHERE idempotency_key = '{path} a'"
        assert await scalar(replicated, seen) == 1
        writes = [
            asyncio.create_task(write_by(path, replicated, rows, attempt=attempt))
            for rows, attempt in ((own, 2), (other, 1))
        ]
        await expect_waiting_commits(replicated, 2)
        assert not any(write.done() for write in writes)
    assert [write.codes for write in await asyncio.gather(*writes)] == [["w", "w"], ["d", "c"]]


@pytest.mark.parametrize("receipts", [False, True])
async def test_a_row_of_an_own_table_that_is_only_seen_is_not_written(
    replicated: AsyncEngine, receipts: bool
) -> None:
    name = new_name()
    created = f"CREATE TABLE {name} (k text PRIMARY KEY, v text)"
    target = await own_target(replicated, declared(name, receipts=receipts), created)
    rows = rows_of((name, [record("", {"k": "a"})]))
    async with missing_standby(replicated):
        await expect_cancelled_by_client(WritePath.BATCHED, replicated, rows, target)
        write = asyncio.create_task(
            write_by(WritePath.BATCHED, replicated, rows, target=target, attempt=2)
        )
        await expect_waiting_commits(replicated, 1)
        assert not write.done()
    assert (await write).codes == ["w" if receipts else "d"]


@pytest.mark.parametrize("path", PATHS)
async def test_a_write_whose_wait_was_cancelled_at_the_server_is_an_outage(
    replicated: AsyncEngine, path: WritePath
) -> None:
    rows = rows_of((f"{path} u", [record(f"{path} u")]))
    async with missing_standby(replicated):
        writing = asyncio.create_task(write_by(path, replicated, rows))
        await expect_waiting_commits(replicated, 1)

        async def cancelled() -> None:
            # If the wait of the INSERT is cancelled, it succeeds, and another commit waits.
            await cancel_waits(replicated)
            assert writing.done()

        await eventually(cancelled)
        with pytest.raises(DatabaseFailedError, match="synchronous_standby_names"):
            await writing
    assert (await write_by(path, replicated, rows, attempt=2)).codes == ["w"]


@pytest.mark.parametrize("path", PATHS)
async def test_without_standbys_no_further_commit_is_made(
    engine: AsyncEngine, path: WritePath
) -> None:
    rows = rows_of(("s", [record("a")]))
    await write_by(path, engine, rows)
    statements = Statements(engine)
    await write_by(path, engine, rows, attempt=2)
    assert "SELECT pg_logical_emit_message(true, 'batching-demo'," not in statements.sent


async def test_a_warning_of_a_trigger_costs_one_statement(engine: AsyncEngine) -> None:
    await create_trigger(engine, "BEGIN RAISE WARNING 'odd'; RETURN NEW; END")
    statements = Statements(engine)
    rows = rows_of(("s", [record("a"), record("b")]))
    assert (await write_by(WritePath.BATCHED, engine, rows)).codes == ["w", "w"]
    assert len(statements.sent) == 2
