"""Show the server that an activity lives, and report in one line how it ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio import activity

from batching_demo.batcher_service.failures import (
    database_failures_reported,
    lost_activity_reported,
)

HEARTBEATS_IN_TIMEOUT = 3
"""So a heartbeat that is late or lost causes no timeout."""
LONGEST_SILENCE_SECONDS = 10.0
"""Between two heartbeats of an activity without a heartbeat timeout."""


@asynccontextmanager
async def watched(*, logged: bool = False) -> AsyncIterator[None]:
    """Send heartbeats meanwhile, so that a dead worker is noticed; report a failing database.

    Args:
        logged: As of `database_failures_reported`.
    """
    heartbeat = asyncio.create_task(_heartbeat())
    try:
        with lost_activity_reported(), database_failures_reported(logged=logged):
            yield
    finally:
        heartbeat.cancel()


async def _heartbeat() -> None:
    timeout = activity.info().heartbeat_timeout
    every = timeout.total_seconds() / HEARTBEATS_IN_TIMEOUT if timeout else LONGEST_SILENCE_SECONDS
    while True:
        # First the wait: a short activity needs no heartbeat, which costs the server as much as a
        # result.
        await asyncio.sleep(every)
        activity.heartbeat()
