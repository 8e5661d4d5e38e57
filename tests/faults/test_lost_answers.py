"""S08 and S13: an answer that does not arrive is asked for again, and is the same."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.converter import default as default_converter

from batching_demo.batcher_service.batcher import run_length
from batching_demo.batcher_service.verdicts import gather
from batching_demo.contracts.encoding import split
from batching_demo.contracts.messages import SubmissionHeader
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.database.writing.writes import write_batch
from batching_demo.operator.start import start_batchers
from batching_demo.requester import until_answered
from tests.support.batchers import batcher, expect_buffered, status, submit
from tests.support.collecting import collecting, expect_answers
from tests.support.database import expect_rows, rows
from tests.support.loading import load, write_ndjson
from tests.support.records import batch_info, record
from tests.support.services import batcher_service, main_service, patchable_batcher_service
from tests.support.waiting import eventually, in_time

QUICK = BatcherSettings(linger_seconds=0.2)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requesters ask again after two seconds instead of a minute."""
    monkeypatch.setattr(until_answered, "SHORTEST_ACK_TIMEOUT_SECONDS", 2.0)


async def submitted(client: Client) -> tuple[list[SubmissionHeader], bytes]:
    """Wait for a `submit` signal in the batcher's history, and give back what it brought."""

    async def check() -> tuple[list[SubmissionHeader], bytes]:
        async for event in batcher(client).fetch_history_events():
            if event.HasField("workflow_execution_signaled_event_attributes"):
                payloads = event.workflow_execution_signaled_event_attributes.input
                raw_headers, records = await default_converter().decode(payloads.payloads)
                return [SubmissionHeader(**fields) for fields in raw_headers], records
        raise AssertionError("nothing has been submitted")

    return await eventually(check)


@pytest.mark.usefixtures("impatient")
async def test_a_lost_confirmation_is_asked_for_again(
    client: Client, engine: AsyncEngine, tmp_path: Path
) -> None:
    """S08: committed, then batcher and confirmation are gone; the record is still its own."""
    await start_batchers(client, 1, QUICK)
    async with main_service(client):
        path = write_ndjson(tmp_path / "a.ndjson", [{"id": 1}])
        loading = asyncio.create_task(
            load(client, path, settings=BatcherSettings(linger_seconds=0.1))
        )
        headers, encoded = await submitted(client)
        await write_batch(engine, gather(split(headers, encoded)).rows, batch_info())
        await batcher(client).terminate()
        await start_batchers(client, 1, QUICK)
        async with batcher_service(client, engine):
            summary = await in_time(loading)
    assert (summary.written, summary.duplicate) == (1, 0)
    assert await rows(engine) == 1


@pytest.mark.usefixtures("impatient")
async def test_what_a_terminated_batcher_had_buffered_is_submitted_again(
    client: Client, engine: AsyncEngine, tmp_path: Path
) -> None:
    await start_batchers(client, 1, QUICK)
    path = write_ndjson(tmp_path / "a.ndjson", ({"id": number} for number in range(20)))
    async with main_service(client):
        loading = asyncio.create_task(
            load(client, path, records_per_workflow=5, settings=BatcherSettings(linger_seconds=0.1))
        )
        await submitted(client)
        await batcher(client).terminate()
        async with batcher_service(client, engine):
            await start_batchers(client, 1, QUICK)
            assert (await in_time(loading)).written == 20


@pytest.mark.usefixtures("impatient")
async def test_a_requester_away_past_its_ack_timeout_ends_well(
    client: Client, engine: AsyncEngine, tmp_path: Path
) -> None:
    """S08: the requester's worker is down while its timer fires and the verdict arrives."""
    await start_batchers(client, 1, BatcherSettings(linger_seconds=0.5))
    async with batcher_service(client, engine):
        path = write_ndjson(tmp_path / "a.ndjson", [{"id": 1}])
        async with main_service(client):
            loading = asyncio.create_task(
                load(client, path, settings=BatcherSettings(linger_seconds=0.1))
            )
            await expect_buffered(client, 1)
        await expect_rows(engine, 1)
        await asyncio.sleep(until_answered.SHORTEST_ACK_TIMEOUT_SECONDS + 1)
        async with main_service(client):
            assert (await in_time(loading)).written == 1
    assert await rows(engine) == 1


async def test_the_same_record_again_is_written_to_its_own_and_duplicate_to_others(
    client: Client, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S13: after the flush, and after the batcher has continued as new."""
    monkeypatch.setattr(run_length, "MAX_SIGNALS", 2)
    await start_batchers(client, 1, QUICK)
    first_run = (await batcher(client).describe()).run_id
    async with (
        collecting(client, "one", "two", "three"),
        patchable_batcher_service(client, engine),
    ):
        await submit(client, ("s", [record("a")]), requester="one")
        await expect_answers(client, "one", {"s": "w"})
        await submit(client, ("t", [record("a")]), requester="two")
        await expect_answers(client, "two", {"t": "d"})

        async def next_run() -> None:
            assert (await batcher(client).describe()).run_id != first_run

        await eventually(next_run)
        await submit(client, ("s", [record("a")]), requester="three")
        await expect_answers(client, "three", {"s": "w"})
        assert (await status(client)).totals.verdicts["written"] == 2
    assert await rows(engine) == 1
