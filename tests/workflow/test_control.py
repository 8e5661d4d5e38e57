"""What an operator asks of running batchers, on a real Temporal server and a real Postgres."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from batching_demo.batcher_service.batcher import run_length
from batching_demo.contracts.operations import BatcherSettings, Changes, Mode, Update
from batching_demo.operator import requests
from batching_demo.operator.requests import NoWorkerError, RequestRefusedError, request
from batching_demo.operator.shards import (
    chosen_shards,
    describe,
    running_shards,
)
from batching_demo.operator.start import start_batchers
from batching_demo.operator.status import overview
from tests.support.batchers import batcher, expect_buffered, status, submit
from tests.support.collecting import collecting, expect_answered_busy, expect_answers
from tests.support.database import expect_rows, rows
from tests.support.records import noise, record
from tests.support.services import batcher_service, patchable_batcher_service
from tests.support.waiting import eventually

pytestmark = pytest.mark.as_writer

SLOW = BatcherSettings(linger_seconds=600)
QUICK = BatcherSettings(linger_seconds=0.2)


async def test_a_flush_by_hand_writes_what_waits(client: Client, engine: AsyncEngine) -> None:
    await start_batchers(client, 1, SLOW)
    async with batcher_service(client, engine):
        await submit(client, ("s", [record("a"), record("b")]))
        await expect_buffered(client, 2)
        done = await request(client, 0, Update.FLUSH)
        assert (done.message, done.changed) == ("flushing 2 records", True)
        await expect_rows(engine, 2)
        await eventually(lambda: _expect_batches(client, {"manual": 1}))
        assert (await request(client, 0, Update.FLUSH)).message == "nothing waits"
        await submit(client, ("t", [record("c")]))
        await expect_buffered(client, 1)
        assert await rows(engine) == 2


async def _expect_batches(client: Client, expected: dict[str, int]) -> None:
    assert (await status(client)).totals.batches == expected


async def test_a_budget_writes_soon_and_not_often(client: Client, engine: AsyncEngine) -> None:
    await start_batchers(client, 1, replace(SLOW, max_writes_per_second=0.5))
    async with batcher_service(client, engine):
        await submit(client, ("s", [record("a")]))
        await expect_rows(engine, 1)
        await submit(client, *((f"s{number}", [record(f"k{number}")]) for number in range(5)))
        await expect_rows(engine, 6)
        await eventually(lambda: _expect_batches(client, {"budget": 2}))
        done = await request(client, 0, Update.CONFIGURE, Changes(max_writes_per_second=0.0))
        assert done.message == "max_writes_per_second 0.5 -> 0"
        await submit(client, ("t", [record("c")]))
        await expect_buffered(client, 1)


async def test_a_pause_holds_and_a_resume_empties(client: Client, engine: AsyncEngine) -> None:
    await start_batchers(client, 1, BatcherSettings(max_records=2, linger_seconds=0.1))
    async with batcher_service(client, engine):
        assert (await request(client, 0, Update.PAUSE)).changed
        assert (await request(client, 0, Update.PAUSE)).message == "already paused"
        await submit(client, *((f"s{n}", [record(f"k{n}")]) for n in range(5)))
        await expect_buffered(client, 5)
        with pytest.raises(RequestRefusedError, match="batcher-0 is paused"):
            await request(client, 0, Update.FLUSH)
        await asyncio.sleep(1)
        assert await rows(engine) == 0
        assert (await request(client, 0, Update.RESUME)).changed
        await expect_rows(engine, 5)


async def test_a_full_paused_batcher_turns_away_and_forgets_nobody(
    client: Client, engine: AsyncEngine
) -> None:
    await start_batchers(client, 1, QUICK)
    async with batcher_service(client, engine), collecting(client, "one"):
        await request(client, 0, Update.PAUSE)
        large = {"t": noise(100_000)}
        for number in range(6):
            await submit(client, (f"s{number}", [record(f"k{number}", large)]), requester="one")
        await expect_answered_busy(client, "one", at_least=1)
        assert (await status(client)).buffered_records == 5
        await request(client, 0, Update.RESUME)
        await expect_answers(client, "one", {f"s{number}": "w" for number in range(5)})


async def test_a_pause_outlives_a_run(
    client: Client, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_length, "MAX_SIGNALS", 3)
    await start_batchers(client, 1, QUICK)
    async with patchable_batcher_service(client, engine):
        await request(client, 0, Update.PAUSE)
        first = (await describe(client, 0)).run_id
        for number in range(5):
            await submit(client, (f"s{number}", [record(f"k{number}")]))
        await expect_buffered(client, 5)

        async def in_another_run() -> None:
            assert (await describe(client, 0)).run_id != first

        await eventually(in_another_run)
        assert (await status(client)).mode == Mode.PAUSED
        assert await rows(engine) == 0


async def test_settings_change_while_it_runs_and_outlive_the_run(
    client: Client, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_length, "MAX_SIGNALS", 4)
    await start_batchers(client, 1, SLOW)
    first = (await describe(client, 0)).run_id
    async with patchable_batcher_service(client, engine):
        done = await request(client, 0, Update.CONFIGURE, Changes(max_records=4))
        assert done.message == "max_records 100 -> 4"
        again = await request(client, 0, Update.CONFIGURE, Changes(max_records=4))
        assert (again.message, again.changed) == ("already has these settings", False)
        for number in range(12):
            await submit(client, (f"s{number}", [record(f"k{number}")]))
        await expect_rows(engine, 12)
        await eventually(lambda: _expect_batches(client, {"records": 3}))
        found = await describe(client, 0)
        assert found.run_id != first
        assert found.settings == BatcherSettings(max_records=4, linger_seconds=600)
        assert (await status(client)).settings == found.settings
    (started,) = await start_batchers(client, 1, SLOW)
    assert started.differences == ["max_records is 4, not 100"]


async def test_settings_that_make_no_sense_are_refused(client: Client, engine: AsyncEngine) -> None:
    await start_batchers(client, 1, SLOW)
    async with batcher_service(client, engine):
        with pytest.raises(RequestRefusedError, match="takes 1 to 10000 records"):
            await request(client, 0, Update.CONFIGURE, Changes(max_records=0))
        with pytest.raises(RequestRefusedError):
            await batcher_configure_raw(client)
        assert (await status(client)).settings == SLOW


async def batcher_configure_raw(client: Client) -> None:
    """Ask in a shape that the message does not have."""
    await request(client, 0, Update.CONFIGURE, "nonsense")


async def test_requests_meet_a_batcher_that_continues_as_new_all_the_time(
    client: Client, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_length, "MAX_SIGNALS", 2)
    await start_batchers(client, 1, QUICK)
    async with patchable_batcher_service(client, engine):

        async def send() -> None:
            for number in range(60):
                await submit(client, (f"s{number}", [record(f"k{number}")]))

        sending = asyncio.create_task(send())
        for number in range(20):
            changes = Changes(max_records=number + 5)
            done = await request(client, 0, Update.CONFIGURE, changes)
            assert done.changed
            await request(client, 0, Update.FLUSH)
        await sending
        await expect_rows(engine, 60)
        assert (await status(client)).settings.max_records == 24


async def test_without_a_worker_a_request_ends_and_says_so(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "UPDATE_SECONDS", 1.0)
    monkeypatch.setattr(requests, "QUERY_SECONDS", 1.0)
    await start_batchers(client, 1, SLOW)
    with pytest.raises(NoWorkerError, match="batching-demo batcher worker"):
        await request(client, 0, Update.PAUSE)
    (found,) = await overview(client, None)
    assert found.described is not None
    assert found.described.settings == SLOW
    assert found.status is None
    assert "batching-demo batcher worker" in found.problem


async def test_all_shards_are_found_though_some_are_missing(client: Client) -> None:
    assert await running_shards(client) == []
    assert list(await chosen_shards(client, None)) == [0]
    await start_batchers(client, 5, SLOW)
    await batcher(client, 2).terminate()
    assert await running_shards(client) == [0, 1, 3, 4]
    assert list(await chosen_shards(client, None)) == [0, 1, 2, 3, 4]
    assert list(await chosen_shards(client, 7)) == [7]


async def test_status_shows_in_the_web_ui_and_costs_no_history(
    client: Client, engine: AsyncEngine
) -> None:
    await start_batchers(client, 1, QUICK)
    async with batcher_service(client, engine):
        await submit(client, ("s", [record("a")]))
        await expect_rows(engine, 1)

        async def shown() -> None:
            details = await batcher(client).query("__temporal_workflow_metadata")
            assert "open; 1 written in 1 batch" in str(details)

        await eventually(shown)
        history = await batcher(client).fetch_history()
    kinds = [event.event_type for event in history.events]
    upserts = [
        set(
            event.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
        )
        for event in history.events
        if event.event_type == EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES
    ]
    # The SDK names the patches of the code that a run has met.
    assert all(names == {"TemporalChangeVersion"} for names in upserts)
    assert EventType.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED not in kinds
