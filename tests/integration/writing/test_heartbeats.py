"""A call that waits shows that its worker lives, and ends when the server has given it up."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.activity import ActivityCancellationDetails
from temporalio.client import Client
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.testing import ActivityEnvironment

from batching_demo.batcher_service.activities import WriteActivities
from batching_demo.contracts.operations import BatcherSettings
from tests.support.records import record, submission
from tests.support.waiting import in_time


async def waiting(
    client: Client, engine: AsyncEngine, *, beats: int = 1
) -> tuple[ActivityEnvironment, asyncio.Task[object]]:
    """Start a call of the coalesced path, which waits for others; return after some heartbeats."""
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, heartbeat_timeout=timedelta(seconds=0.3))
    beat = asyncio.Semaphore(0)
    environment.on_heartbeat = lambda *_: beat.release()
    activities = WriteActivities(engine, client, 5, BatcherSettings(linger_seconds=600))
    one = submission("s", [record("a")])
    call = asyncio.create_task(
        environment.run(activities.write_coalesced, [one.header], one.records)
    )
    for _ in range(beats):
        await in_time(beat.acquire())
    return environment, call


async def test_a_call_that_waits_for_others_sends_heartbeats_until_it_is_cancelled(
    client: Client, engine: AsyncEngine
) -> None:
    environment, call = await waiting(client, engine, beats=3)
    environment.cancel()
    with pytest.raises(asyncio.CancelledError):
        await in_time(call)


@pytest.mark.parametrize(
    ("details", "reason"),
    [
        (ActivityCancellationDetails(not_found=True), "its workflow has ended"),
        (ActivityCancellationDetails(timed_out=True), "it timed out"),
    ],
)
async def test_a_call_that_the_server_has_given_up_ends_with_one_line(
    client: Client,
    engine: AsyncEngine,
    caplog: pytest.LogCaptureFixture,
    details: ActivityCancellationDetails,
    reason: str,
) -> None:
    environment, call = await waiting(client, engine)
    environment.cancel(details)
    with pytest.raises(ApplicationError, match=reason) as failed:
        await in_time(call)
    # The SDK logs no benign failure.
    assert failed.value.category is ApplicationErrorCategory.BENIGN
    (line,) = [line.getMessage() for line in caplog.records if "given up" in line.getMessage()]
    assert reason in line
