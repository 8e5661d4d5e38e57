"""Write a batch, and tell every requester what became of its records."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity
from temporalio.client import Client

from batching_demo.batcher_service.coalescer import NO_SHARD, Coalescer
from batching_demo.batcher_service.confirmations import confirm, send_to_all
from batching_demo.batcher_service.failures import database_failures_reported
from batching_demo.batcher_service.messages import BatchHeader, BatchResult, TurnedAway
from batching_demo.batcher_service.metrics import WorkerMetrics
from batching_demo.batcher_service.verdicts import count, gather
from batching_demo.contracts.encoding import split
from batching_demo.contracts.messages import BatcherSettings, SubmissionHeader, Verdict, Verdicts
from batching_demo.contracts.names import BUSY_SIGNAL, WRITE_ACTIVITIES, WritePath
from batching_demo.database.rows import Stamp
from batching_demo.database.writes import write_batch, write_unbatched

HEARTBEATS_IN_TIMEOUT = 3
LONGEST_SILENCE_SECONDS = 10.0
LOG_FIELDS = "fields"
"""Attribute of a log record that --log-format json puts into its line."""
logger = logging.getLogger(__name__)


class WriteActivities:
    """The activities of the batcher service, on one engine and one Temporal client."""

    def __init__(
        self,
        engine: AsyncEngine,
        client: Client,
        connections: int,
        coalescing: BatcherSettings,
    ) -> None:
        self._engine = engine
        self._client = client
        self._metrics = WorkerMetrics.of(client)
        # Activities outnumber connections: those that are coalesced mostly wait for each other.
        self._turn = asyncio.Semaphore(connections)
        self._coalescer = Coalescer(coalescing, self._write_coalesced)
        self._drains: asyncio.Task[None] | None = None

    @activity.defn
    async def write_batch(self, batch: BatchHeader, records: bytes) -> BatchResult:
        """Write a batch with one bulk INSERT, then send its verdicts to those who wait."""
        async with _watched():
            answers = await self._write(batch, split(batch.submissions, records), WritePath.BATCHED)
            self._metrics.confirmed(await confirm(self._client, batch.submissions, answers))
        return count(answers)

    @activity.defn(name=WRITE_ACTIVITIES[WritePath.COALESCED])
    async def write_coalesced(
        self, headers: list[SubmissionHeader], records: bytes
    ) -> list[Verdicts]:
        """Wait until a batch with these submissions is written."""
        if self._drains is None:
            self._drains = asyncio.create_task(self._drain_at_shutdown())
        async with _watched():
            return await self._coalescer.submit(
                headers, split(headers, records), attempt=activity.info().attempt
            )

    @activity.defn
    async def answer_busy(self, turned_away: list[TurnedAway], shard: int = 0) -> None:
        """Tell requesters to submit again later."""
        await send_to_all(
            self._client, BUSY_SIGNAL, {one.requester: one.busy for one in turned_away}
        )
        self._metrics.answered_busy(shard, sum(len(one.busy.submission_ids) for one in turned_away))

    @activity.defn(name=WRITE_ACTIVITIES[WritePath.UNBATCHED])
    async def write_unbatched(
        self, headers: list[SubmissionHeader], records: bytes
    ) -> list[Verdicts]:
        """Write each record with an INSERT and a commit of its own; the baseline."""
        gathered = gather(headers, split(headers, records))
        async with _watched():
            with self._metrics.measured(NO_SHARD, WritePath.UNBATCHED):
                async with self._turn:
                    write = await write_unbatched(self._engine, gathered.rows)
        answers = gathered.verdicts(write, None)
        self._metrics.decided(NO_SHARD, WritePath.UNBATCHED, count(answers), 0)
        return answers

    async def _write_coalesced(self, batch: BatchHeader, parts: Sequence[bytes]) -> list[Verdicts]:
        return await self._write(batch, parts, WritePath.COALESCED)

    async def _write(
        self, batch: BatchHeader, parts: Sequence[bytes], path: WritePath
    ) -> list[Verdicts]:
        started = time.monotonic()
        gathered = gather(batch.submissions, parts)
        with self._metrics.measured(batch.shard, path, batch.reason):
            async with self._turn:
                write = await write_batch(
                    self._engine,
                    gathered.rows,
                    Stamp(UUID(batch.batch_id), path, batch.shard),
                    look_first=batch.attempt > 1,
                    rows_per_statement=batch.rows_per_statement,
                )
        answers = gathered.verdicts(write, batch.batch_id)
        result = count(answers)
        self._metrics.batch_written(batch, path, sum(map(len, parts)), time.time())
        self._metrics.decided(batch.shard, path, result, write.bisect_statements)
        _log(batch, path, result, time.monotonic() - started)
        return answers

    async def _drain_at_shutdown(self) -> None:
        await activity.wait_for_worker_shutdown()
        self._coalescer.drain()


@asynccontextmanager
async def _watched() -> AsyncIterator[None]:
    """Heartbeat, so that a dead worker is noticed; report what fails."""
    heartbeat = asyncio.create_task(_heartbeat())
    try:
        with database_failures_reported():
            yield
    finally:
        heartbeat.cancel()


async def _heartbeat() -> None:
    timeout = activity.info().heartbeat_timeout
    every = timeout.total_seconds() / HEARTBEATS_IN_TIMEOUT if timeout else LONGEST_SILENCE_SECONDS
    while True:
        # A short activity sends none: each costs the server as much as a result.
        await asyncio.sleep(every)
        activity.heartbeat()


def _log(batch: BatchHeader, path: WritePath, result: BatchResult, seconds: float) -> None:
    fields = {
        "batch_id": batch.batch_id,
        "shard": batch.shard,
        "write_path": path.value,
        "reason": batch.reason,
        "attempt": batch.attempt,
        "records": sum(header.records for header in batch.submissions),
        **{verdict.value: getattr(result, verdict.value) for verdict in Verdict},
        "milliseconds": round(seconds * 1000),
    }
    logger.info(
        "batch %s shard %d reason %s: %d written, %d duplicate, %d conflict, %d rejected, %.0f ms",
        batch.batch_id,
        batch.shard,
        batch.reason,
        result.written,
        result.duplicate,
        result.conflict,
        result.rejected,
        seconds * 1000,
        extra={LOG_FIELDS: fields},
    )
