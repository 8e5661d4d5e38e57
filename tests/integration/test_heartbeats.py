"""A call that waits shows that its worker lives: without that, the server gives it to another."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from batching_demo.batcher_service.activities import WriteActivities
from batching_demo.contracts.operations import BatcherSettings
from tests.support.records import record, submission
from tests.support.waiting import in_time


async def test_a_call_that_waits_for_others_sends_heartbeats(
    client: Client, engine: AsyncEngine
) -> None:
    activities = WriteActivities(engine, client, 5, BatcherSettings(linger_seconds=600))
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, heartbeat_timeout=timedelta(seconds=0.3))
    beats = asyncio.Semaphore(0)
    environment.on_heartbeat = lambda *_: beats.release()
    one = submission("s", [record("a")])
    call = asyncio.create_task(
        environment.run(activities.write_coalesced, [one.header], one.records)
    )
    for _ in range(3):
        await in_time(beats.acquire())
    call.cancel()
    with suppress(asyncio.CancelledError):
        await call
