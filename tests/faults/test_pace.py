"""S09, S14 and S15: slow, in a burst, and much at once."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.batcher_service.batcher import run_length
from batching_demo.contracts.limits import KIB
from batching_demo.contracts.names import batcher_workflow_id
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.operator.start import start_batchers
from tests.support.batchers import batcher, expect_buffered, status, submit
from tests.support.collecting import collecting, expect_answers
from tests.support.database import fetch, rows, scalar
from tests.support.loading import load, write_ndjson
from tests.support.records import noise, record
from tests.support.services import batcher_service, main_service, patchable_batcher_service

LARGEST_CARRIED = 1_600 * KIB


async def test_a_trickle_is_written_though_it_never_stops(
    client: Client, engine: AsyncEngine
) -> None:
    """S09: if each record restarted the clock, none would be written before the last one."""
    await start_batchers(client, 1, BatcherSettings(max_records=1000, linger_seconds=2))
    async with batcher_service(client, engine):
        sent = 0
        while not await rows(engine):
            assert sent < 240
            await submit(client, (str(sent), [record(str(sent))]))
            sent += 1
            await asyncio.sleep(0.5)
    found = await fetch(engine, "SELECT idempotency_key FROM records")
    # What is written first is the oldest.
    assert {key for (key,) in found} == {str(number) for number in range(len(found))}


@pytest.mark.parametrize(("at_once", "runs"), [(100, 2), (25, 4)])
async def test_a_burst_over_many_runs_is_answered_once_each(
    client: Client,
    engine: AsyncEngine,
    monkeypatch: pytest.MonkeyPatch,
    at_once: int,
    runs: int,
) -> None:
    """S14: 100 signals, concurrent, at a shard that continues as new every few flushes."""
    monkeypatch.setattr(run_length, "MAX_SIGNALS", 15)
    await start_batchers(client, 1, BatcherSettings(max_records=5, linger_seconds=0.2))
    names = [f"requester-{number}" for number in range(10)]

    async def send(number: int) -> None:
        name = names[number % 10]
        key = f"{name}/{number // 10}"
        await submit(client, (key, [record(key)]), requester=name)

    async with collecting(client, *names), patchable_batcher_service(client, engine):
        for first in range(0, 100, at_once):
            await asyncio.gather(*(send(number) for number in range(first, first + at_once)))
            await expect_buffered(client, 0)
        for name in names:
            await expect_answers(client, name, {f"{name}/{n}": "w" for n in range(10)})
        assert (await status(client)).totals.verdicts["written"] == 100
    assert await scalar(engine, "SELECT count(*) FROM records") == 100
    assert len(await carried_sizes(client, 0)) >= runs


async def carried_sizes(client: Client, shard: int) -> list[int]:
    """Measure what each run of a batcher was started with, the last run's first."""
    sizes = []
    run_id: str | None = (await batcher(client, shard).describe()).run_id
    while run_id:
        handle = client.get_workflow_handle(batcher_workflow_id(shard), run_id=run_id)
        started = await anext(aiter(handle.fetch_history_events(page_size=1)))
        attributes = started.workflow_execution_started_event_attributes
        sizes.append(attributes.input.ByteSize())
        run_id = attributes.continued_execution_run_id
    return sizes


@pytest.mark.parametrize(
    ("main_workflows", "records_each"),
    [(20, 200), pytest.param(100, 500, marks=[pytest.mark.slow, pytest.mark.timeout(600)])],
)
async def test_much_at_once_never_carries_too_much(
    client: Client,
    engine: AsyncEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    main_workflows: int,
    records_each: int,
) -> None:
    """S15: main workflows of many records of 280 bytes, all at the same time, two shards."""
    monkeypatch.setattr(run_length, "MAX_SIGNALS", 10)
    total = main_workflows * records_each
    path = write_ndjson(
        tmp_path / "many.ndjson",
        ({"id": number, "text": noise(255, number)} for number in range(total)),
    )
    await start_batchers(client, 2, BatcherSettings(linger_seconds=1))
    async with patchable_batcher_service(client, engine), main_service(client):
        summary = await load(client, path, records_per_workflow=records_each, shards=2)
    assert (summary.written, summary.workflows) == (total, main_workflows)
    assert await scalar(engine, "SELECT count(*) FROM records") == total
    for shard in range(2):
        sizes = await carried_sizes(client, shard)
        assert len(sizes) > 1
        assert max(sizes) <= LARGEST_CARRIED
