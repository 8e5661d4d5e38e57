"""S06 and rule 13: what main workflows say when they end without every verdict."""

import asyncio
import logging
import math
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import CancelledError

from batching_demo.contracts.names import BUSY_SIGNAL, WritePath
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.operator.start import start_batchers
from tests.support.batchers import expect_buffered, status, submit
from tests.support.loading import load, write_ndjson
from tests.support.records import record
from tests.support.services import batcher_service, both_services
from tests.support.waiting import eventually, in_time

SLOW = BatcherSettings(linger_seconds=600)
TASK_FAILED = EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED


async def main_workflow_id(client: Client) -> str:
    async for main in client.list_workflows("WorkflowType = 'MainWorkflow'"):
        return main.id
    raise AssertionError("no main workflow is visible yet")


async def test_a_deadline_names_what_has_no_verdict_and_claims_nothing(
    client: Client, engine: AsyncEngine, tmp_path: Path
) -> None:
    await start_batchers(client, 1, SLOW)
    path = write_ndjson(tmp_path / "a.ndjson", [{"id": "pear"}, {"id": "plum"}])
    async with both_services(client, engine):
        summary = await load(client, path, records_per_workflow=2, deadline_seconds=2.0)
    assert (summary.pending, len(summary.failures)) == (2, 1)
    assert "may be stored or not: 'pear', 'plum'" in summary.failures[0]


async def test_a_deadline_that_is_met_changes_nothing(
    client: Client, engine: AsyncEngine, tmp_path: Path
) -> None:
    await start_batchers(client, 1, BatcherSettings(linger_seconds=0.2))
    path = write_ndjson(tmp_path / "a.ndjson", [{"id": "pear"}])
    async with both_services(client, engine):
        assert (await load(client, path, deadline_seconds=60.0)).written == 1


@pytest.mark.parametrize("seconds", [math.inf, math.nan, -1e300, 1e300])
async def test_a_busy_answer_without_sense_does_no_harm(
    client: Client, engine: AsyncEngine, tmp_path: Path, seconds: float
) -> None:
    await start_batchers(client, 1, BatcherSettings(max_records=2, linger_seconds=600))
    path = write_ndjson(tmp_path / "a.ndjson", [{"id": "pear"}])
    async with both_services(client, engine):
        loading = asyncio.create_task(load(client, path))
        await expect_buffered(client, 1)
        main = client.get_workflow_handle(await eventually(lambda: main_workflow_id(client)))
        busy = {"submission_ids": [f"{main.id}/0"], "retry_after_seconds": seconds}
        await main.signal(BUSY_SIGNAL, busy)
        await submit(client, ("other", [record("plum")]))
        assert (await in_time(loading)).written == 1
        history = await main.fetch_history()
    assert all(event.event_type != TASK_FAILED for event in history.events)


async def test_a_cancelled_one_ends_cancelled_and_names_what_has_no_verdict(
    client: Client, engine: AsyncEngine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await start_batchers(client, 1, SLOW)
    path = write_ndjson(tmp_path / "a.ndjson", [{"id": "pear"}, {"id": "plum"}])
    async with both_services(client, engine):
        loading = asyncio.create_task(load(client, path, records_per_workflow=2))
        await expect_buffered(client, 2)
        handle = client.get_workflow_handle(await eventually(lambda: main_workflow_id(client)))
        with caplog.at_level(logging.WARNING):
            await handle.cancel()
            with pytest.raises(WorkflowFailureError) as failed:
                await handle.result()
        assert isinstance(failed.value.cause, CancelledError)
        assert "may be stored or not: 'pear', 'plum'" in caplog.text
        details = str(await handle.query("__temporal_workflow_metadata"))
        assert "cancelled: no verdict yet for 2 records" in details
        assert len((await loading).failures) == 1


async def test_one_that_is_gone_holds_up_no_batch(client: Client, engine: AsyncEngine) -> None:
    await start_batchers(client, 1, BatcherSettings(linger_seconds=0.2))
    async with batcher_service(client, engine):
        await submit(client, ("s", [record("pear")]), requester="gone")

        async def written_once() -> None:
            assert (await status(client)).totals.batches == {"age": 1}

        await eventually(written_once)
        assert (await status(client)).consecutive_failures == 0


async def test_a_cancelled_call_names_its_records_too(
    client: Client, engine: AsyncEngine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_ndjson(tmp_path / "a.ndjson", [{"id": "pear"}])
    async with both_services(client, engine):
        loading = asyncio.create_task(load(client, path, write_path=WritePath.COALESCED))
        handle = client.get_workflow_handle(await eventually(lambda: main_workflow_id(client)))

        async def is_called() -> None:
            assert (await handle.describe()).raw_description.pending_activities

        await eventually(is_called)
        with caplog.at_level(logging.WARNING):
            await handle.cancel()
            with pytest.raises(WorkflowFailureError) as failed:
                await handle.result()
        assert isinstance(failed.value.cause, CancelledError)
        assert "may be stored or not: 'pear'" in caplog.text
        assert len((await loading).failures) == 1
