"""Records that Postgres does not store, or not for long, on every path from workflow to verdict."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.contracts.names import WritePath
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.database.engine import create_engine
from batching_demo.main_service.summary import Summary
from batching_demo.operator.start import start_batchers
from tests.support.database import fetch, rows
from tests.support.loading import load, write_ndjson
from tests.support.paths import WITHOUT_QUEUE
from tests.support.postgres import TEMPLATE, running_postgres
from tests.support.services import batcher_service, main_service
from tests.support.standbys import cancel_waits, missing_standby
from tests.support.waiting import eventually
from tests.support.writing import create_trigger

QUICK = BatcherSettings(linger_seconds=0.2)
DOES = ["pass", "swallow", "45035", "pass", "40001", "pass"]
"""What a trigger does for each record."""
BODY = """
BEGIN
    IF NEW.payload->>'does' = 'swallow' THEN RETURN NULL; END IF;
    IF NEW.payload->>'does' <> 'pass' THEN
        RAISE EXCEPTION 'no' USING ERRCODE = NEW.payload->>'does';
    END IF;
    RETURN NEW;
END"""


async def load_by_every_path(
    client: Client, engine: AsyncEngine, path: Path, paths: Sequence[WritePath] = WITHOUT_QUEUE
) -> list[Summary]:
    """Load a file by every path at once, a workflow for each record."""
    await start_batchers(client, 1, QUICK)
    async with batcher_service(client, engine, QUICK), main_service(client):
        loads = (
            load(client, path, write_path=each, run_label=each.value, key_prefix=f"{each.value}-")
            for each in paths
        )
        return list(await asyncio.gather(*loads))


async def test_each_record_has_its_verdict_whatever_a_trigger_does(
    client: Client, engine: AsyncEngine, tmp_path: Path
) -> None:
    await create_trigger(engine, BODY)
    documents = ({"id": number, "does": what} for number, what in enumerate(DOES))
    path = write_ndjson(tmp_path / "x.ndjson", documents)
    for summary in await load_by_every_path(client, engine, path):
        assert (summary.written, summary.rejected, summary.workflows) == (3, 3, 6)
    assert await rows(engine) == 9
    letters = "SELECT run_label, reason, sqlstate FROM dead_letters ORDER BY 1, 2, 3"
    assert await fetch(engine, letters) == [
        (path, *why)
        for path in sorted(WITHOUT_QUEUE)
        for why in (
            ("not_stored", None),
            ("refused_by_postgres", "40001"),
            ("refused_by_postgres", "45035"),
        )
    ]


@pytest.fixture
async def replicated(cluster: Path) -> AsyncIterator[AsyncEngine]:
    """The database of a server of this test's own."""
    with running_postgres(cluster) as server:
        engine = create_engine(server.url_of(TEMPLATE), application_name="tests", pool_size=10)
        yield engine
        await engine.dispose()


async def test_nothing_is_written_before_the_standby_has_it(
    client: Client, replicated: AsyncEngine, tmp_path: Path
) -> None:
    path = write_ndjson(tmp_path / "x.ndjson", ({"id": number} for number in range(5)))
    async with missing_standby(replicated):
        loading = asyncio.create_task(load_by_every_path(client, replicated, path))

        async def all_are_seen() -> None:
            # As after time-outs of clients, all rows are visible before the standby has any.
            await cancel_waits(replicated)
            assert await rows(replicated) == 15

        await eventually(all_are_seen)
        answers = [one async for one in client.list_workflows("ExecutionStatus = 'Completed'")]
        assert not answers
    summaries = await loading
    assert [summary.written for summary in summaries] == [5, 5, 5]
    assert await rows(replicated) == 15
