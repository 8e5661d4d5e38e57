"""A full buffer turns senders away, and none of them is forgotten."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.batcher_service.batcher import workflow as workflows
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.core.admission import LARGEST_BUFFER_BYTES
from batching_demo.operator.start import start_batchers
from tests.support.batchers import status, submit
from tests.support.collecting import collecting, expect_answered_busy, expect_answers
from tests.support.database import execute, expect_rows, locked_table
from tests.support.loading import load, write_ndjson
from tests.support.records import noise, record
from tests.support.services import (
    batcher_service,
    both_services,
    main_service,
    patchable_batcher_service,
)
from tests.support.waiting import eventually, in_time

QUICK = BatcherSettings(linger_seconds=0.2)
LARGE = noise(100_000)
LARGEST_WITH_RETURNED_BYTES = 3 * LARGEST_BUFFER_BYTES
"""Besides what the buffer admits, two writes that failed may have come back to it. A write that
waits for a lock fails after 10 s, which a busy machine may take for any step of a test."""


async def expect_turned_away(client: Client) -> None:
    async def check() -> None:
        assert (await status(client)).totals.turned_away > 0

    await eventually(check)


async def test_senders_turned_away_come_back_until_all_is_written(
    client: Client, engine: AsyncEngine, tmp_path: Path
) -> None:
    """Small submissions and a large one, more than buffer and two writes in flight can hold."""
    await start_batchers(client, 1, QUICK)
    small = [{"id": f"small{n}", "text": noise(20_000, n)} for n in range(90)]
    large = [{"id": "large", "text": noise(190_000)}]
    async with both_services(client, engine):
        async with locked_table(engine):
            loading = asyncio.gather(
                load(client, write_ndjson(tmp_path / "small.ndjson", small)),
                load(client, write_ndjson(tmp_path / "large.ndjson", large)),
            )
            await expect_turned_away(client)
            assert (await status(client)).buffered_bytes <= LARGEST_WITH_RETURNED_BYTES
        summaries = await in_time(loading)
    assert [summary.written for summary in summaries] == [90, 1]


async def test_a_buffer_that_takes_no_more_is_written_before_its_linger(
    client: Client, engine: AsyncEngine
) -> None:
    """Less than a batch's bytes waits, but the next submission does not fit any more."""
    await start_batchers(client, 1, BatcherSettings(linger_seconds=600))
    async with batcher_service(client, engine), collecting(client, "one"):
        for number in range(6):
            await submit(
                client, (f"s{number}", [record(f"k{number}", {"t": LARGE})]), requester="one"
            )
        await expect_answered_busy(client, "one", at_least=1)
        await expect_rows(engine, 5)


async def test_thousands_are_told_to_wait_in_messages_of_bounded_size(
    client: Client, engine: AsyncEngine
) -> None:
    """All in one task of the batcher: their names alone are more than one message may hold."""
    await start_batchers(client, 1, QUICK)
    signals, each = 10, 300
    names = [f"{number:03}-{'n' * 900}" for number in range(each)]
    for signal in range(signals):
        submissions = [(f"{signal}-{name}", [record(f"{signal}-{name[:3]}")]) for name in names]
        await submit(client, *submissions, requester=f"sender-{signal}")
    senders = [f"sender-{signal}" for signal in range(signals)]
    async with collecting(client, *senders), batcher_service(client, engine):
        buffered_at_most = LARGEST_BUFFER_BYTES // 1_000
        for sender in senders[-(signals - buffered_at_most // each - 1) :]:
            await expect_answered_busy(client, sender, at_least=each)


async def test_a_full_batch_is_tried_again_after_a_second_not_after_its_linger(
    client: Client, engine: AsyncEngine
) -> None:
    await start_batchers(client, 1, BatcherSettings(max_records=2, linger_seconds=600))
    await execute(engine, "ALTER TABLE records RENAME TO elsewhere")
    async with batcher_service(client, engine), collecting(client, "one"):
        await submit(client, ("s", [record("a"), record("b")]), requester="one")

        async def failing() -> None:
            assert (await status(client)).consecutive_failures > 0

        await eventually(failing)
        await execute(engine, "ALTER TABLE elsewhere RENAME TO records")
        await expect_answers(client, "one", {"s": "ww"})


async def test_while_the_database_fails_a_full_buffer_is_bounded_and_then_all_is_written(
    client: Client, engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflows, "RETRY_WHILE_FAILING_SECONDS", 3.0)
    await start_batchers(client, 1, QUICK)
    documents = [{"id": n, "text": LARGE} for n in range(20)]
    path = write_ndjson(tmp_path / "large.ndjson", documents)
    await execute(engine, "ALTER TABLE records RENAME TO elsewhere")
    async with patchable_batcher_service(client, engine), main_service(client):
        loading = asyncio.create_task(load(client, path))
        await expect_turned_away(client)
        assert (await status(client)).buffered_bytes <= LARGEST_WITH_RETURNED_BYTES
        await execute(engine, "ALTER TABLE elsewhere RENAME TO records")
        summary = await in_time(loading)
    assert summary.written == 20


@pytest.mark.slow
async def test_tens_of_thousands_at_once_do_not_take_a_task_too_long(
    client: Client, engine: AsyncEngine
) -> None:
    """S05: they came while no worker ran; the SDK gives up a task that computes for 2 s.

    On a busy machine that is less than it needs. There tests/unit/core/test_crowd.py holds the
    rule.
    """
    await start_batchers(client, 1, QUICK)
    for signal in range(60):
        submissions = [(f"{signal}/{n}", [record(f"{signal}/{n}")]) for n in range(500)]
        await submit(client, *submissions, requester="nobody")
    async with batcher_service(client, engine):

        async def written() -> None:
            assert (await status(client)).totals.verdicts.get("written", 0) > 1_000

        await eventually(written)
