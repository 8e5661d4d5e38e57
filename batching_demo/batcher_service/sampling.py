"""Sample what a worker can only see by looking: its connections, and dead letters."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import QueuePool, event
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.batcher_service.metrics import WorkerMetrics
from batching_demo.database.dead_letter_queries import count_by_status
from batching_demo.database.engine import create_engine
from batching_demo.database.errors import DatabaseFailedError, database_errors

SAMPLE_SECONDS = 15.0
SHARE = 0.05
"""Of the time, at most, is spent looking: counting dead letters reads their whole table."""
SESSIONS = "batching-demo batcher metrics"


@asynccontextmanager
async def sampling(database_url: str, metrics: WorkerMetrics) -> AsyncIterator[None]:
    """Sample the database meanwhile, through a connection that no write ever waits for."""
    engine = create_engine(database_url, application_name=SESSIONS, pool_size=1)
    task = asyncio.create_task(_sample(engine, metrics))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await engine.dispose()


def watch_pool(engine: AsyncEngine, metrics: WorkerMetrics) -> None:
    """Show from now on how many connections of an engine are taken."""
    pool = engine.pool
    assert isinstance(pool, QueuePool)

    def taken(*_: Any) -> None:
        metrics.connections_in_use(pool.checkedout())

    def given_back(*_: Any) -> None:
        # It is told before the pool has it.
        metrics.connections_in_use(pool.checkedout() - 1)

    event.listen(pool, "checkout", taken)
    event.listen(pool, "checkin", given_back)
    metrics.connections_in_use(0)


async def _sample(engine: AsyncEngine, metrics: WorkerMetrics) -> None:
    while True:
        started, pause = time.monotonic(), SAMPLE_SECONDS
        try:
            with database_errors():
                metrics.dead_letters(await count_by_status(engine))
        except DatabaseFailedError as error:
            # A missing table or privilege is for the writes to report.
            if error.is_outage:
                metrics.database_is_up(False)
        else:
            metrics.database_is_up(True)
            pause = pause_after(time.monotonic() - started)
        await asyncio.sleep(pause)


def pause_after(seconds: float) -> float:
    """Return the seconds to wait after a look that took so long."""
    return max(SAMPLE_SECONDS, seconds / SHARE)
