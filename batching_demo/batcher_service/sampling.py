"""Sample what a worker can only see by looking: its connections, and dead letters."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Connection, ExceptionContext, QueuePool, event, select
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.batcher_service.metrics import WorkerMetrics
from batching_demo.concurrency import in_background
from batching_demo.database.dead_letters.queries import count_by_status
from batching_demo.database.engine import create_engine
from batching_demo.database.errors import DatabaseFailedError, database_errors
from batching_demo.settings import Pooler

SAMPLE_SECONDS = 15.0
LONGEST_ANSWER_SECONDS = 5.0
"""What takes longer to answer the shortest question is down."""
LONGEST_STATEMENT_SECONDS = 15.0
"""Longer than a statement waits for a lock."""
SHARE = 0.05
"""Of the time, at most, is spent looking: counting dead letters reads their whole table."""
SESSIONS = "batching-demo batcher metrics"


class OpenStatements:
    """The statements of an engine that have no answer yet, from now on."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._sent_at: dict[Connection, float] = {}
        event.listen(engine.sync_engine, "before_cursor_execute", self._sent)
        event.listen(engine.sync_engine, "after_cursor_execute", self._answered)
        event.listen(engine.sync_engine, "handle_error", self._failed)

    @property
    def are_answered(self) -> bool:
        """Whether none has waited too long."""
        oldest = min(self._sent_at.values(), default=math.inf)
        return time.monotonic() - oldest < LONGEST_STATEMENT_SECONDS

    def _sent(self, connection: Connection, *_: object) -> None:
        self._sent_at[connection] = time.monotonic()

    def _answered(self, connection: Connection, *_: object) -> None:
        self._sent_at.pop(connection, None)

    def _failed(self, context: ExceptionContext) -> None:
        if context.connection is not None:
            self._sent_at.pop(context.connection, None)


@asynccontextmanager
async def sampling(
    database_url: str,
    metrics: WorkerMetrics,
    pooler: Pooler = "auto",
    writes: OpenStatements | None = None,
) -> AsyncIterator[None]:
    """Sample the database meanwhile, through a connection that no write ever waits for.

    Args:
        database_url: The database.
        metrics: Get what is found.
        pooler: What is known of a pooler.
        writes: Say more than a new connection: those that are open may be dead.
    """
    engine = create_engine(database_url, application_name=SESSIONS, pool_size=1, pooler=pooler)
    try:
        async with in_background(_sample(engine, metrics, writes)):
            yield
    finally:
        await engine.dispose()


def watch_pool(engine: AsyncEngine, metrics: WorkerMetrics) -> None:
    """Show from now on how many connections of an engine are taken."""

    def in_use() -> int:
        # Not always the same pool: the guard of the identity has it replaced.
        pool = engine.pool
        assert isinstance(pool, QueuePool)
        return pool.checkedout()

    def taken(*_: Any) -> None:
        metrics.connections_in_use(in_use())

    def given_back(*_: Any) -> None:
        # It is told before the pool has it. A pool that was replaced gets back what it lent.
        metrics.connections_in_use(max(0, in_use() - 1))

    event.listen(engine.pool, "checkout", taken)
    event.listen(engine.pool, "checkin", given_back)
    metrics.connections_in_use(0)


async def _sample(
    engine: AsyncEngine, metrics: WorkerMetrics, writes: OpenStatements | None
) -> None:
    while True:
        started, pause = time.monotonic(), SAMPLE_SECONDS
        try:
            with database_errors():
                await _ask(engine)
                metrics.dead_letters(await count_by_status(engine))
        except DatabaseFailedError as error:
            # A missing table or privilege is for the writes to report.
            if error.is_outage:
                metrics.show_database(False)
        else:
            metrics.show_database(writes is None or writes.are_answered)
            pause = pause_after(time.monotonic() - started)
        await asyncio.sleep(pause)


async def _ask(engine: AsyncEngine) -> None:
    """Have the database answer.

    Raises:
        TimeoutError: It is silent.
    """
    async with asyncio.timeout(LONGEST_ANSWER_SECONDS), engine.connect() as connection:
        await connection.execute(select(1))


def pause_after(seconds: float) -> float:
    """Return the seconds to wait after a look that took so long."""
    return max(SAMPLE_SECONDS, seconds / SHARE)
