"""The activities that write records and send the answers."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity
from temporalio.client import Client

from batching_demo.batcher_service.coalescer import Coalescer
from batching_demo.batcher_service.confirmations import confirm, send_to_all
from batching_demo.batcher_service.failures import (
    database_failures_reported,
    log_failure,
    lost_activity_reported,
)
from batching_demo.batcher_service.identity.guard import IdentityGuard
from batching_demo.batcher_service.metrics import WorkerMetrics
from batching_demo.batcher_service.verdicts import gather
from batching_demo.contracts.batches import (
    ANSWER_BUSY,
    WRITE_BATCH,
    BatchHeader,
    BatchResult,
    BusyAnswer,
)
from batching_demo.contracts.encoding import split
from batching_demo.contracts.messages import (
    Submission,
    SubmissionHeader,
    Verdict,
    Verdicts,
    shown_verdicts,
)
from batching_demo.contracts.names import BUSY_SIGNAL, LOG_FIELDS, WRITE_ACTIVITIES, WritePath
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.database.batch_log.log import BatchLog
from batching_demo.database.errors import DatabaseFailedError
from batching_demo.database.targets.records import RECORDS
from batching_demo.database.writing.rows import BatchInfo
from batching_demo.database.writing.target import Target
from batching_demo.database.writing.writes import write_batch, write_unbatched

HEARTBEATS_IN_TIMEOUT = 3
"""So a heartbeat that is late or lost causes no timeout."""
LONGEST_SILENCE_SECONDS = 10.0
"""Between two heartbeats of an activity without a heartbeat timeout."""
logger = logging.getLogger(__name__)


class WriteActivities:
    """The activities that write, on one engine, and that answer, through one Temporal client.

    Those that write raise an `ApplicationError`, with advice and SQLSTATE, if the database fails.

    Args:
        engine: Commits every statement by itself.
        client: Sends verdicts and busy answers.
        connections: Connections of the engine, and so writes at a time.
        coalescing: When the calls of the coalesced path are written.
        target: The table that records go to.
        log: The log of batches; None writes none.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        client: Client,
        connections: int,
        coalescing: BatcherSettings,
        target: Target = RECORDS,
        log: BatchLog | None = None,
    ) -> None:
        self._engine = engine
        self._client = client
        self._target = target
        self._log = log
        self._metrics = WorkerMetrics.of(client)
        # There are more activities than connections, since coalesced calls mostly wait for others.
        self._turn = asyncio.Semaphore(connections)
        self.guard = IdentityGuard(engine, client)
        self._coalescer = Coalescer(coalescing, self._write_coalesced)
        self._drains: asyncio.Task[None] | None = None

    @activity.defn(name=WRITE_BATCH)
    async def write_batch(self, batch: BatchHeader, records: bytes) -> BatchResult:
        """Write a batch, send the verdicts to its requesters, and return the number of each.

        Args:
            batch: The batch without its records.
            records: The joined records of its submissions.
        """
        async with _watched():
            submissions = split(batch.submissions, records)
            answers = await self._write(batch, submissions, WritePath.BATCHED)
            self._metrics.confirmed(await confirm(self._client, batch.submissions, answers))
        return BatchResult.of(answers)

    @activity.defn(name=WRITE_ACTIVITIES[WritePath.COALESCED])
    async def write_coalesced(
        self, headers: list[SubmissionHeader], records: bytes
    ) -> list[Verdicts]:
        """Wait until submissions are written in batches with others, and return their verdicts.

        Args:
            headers: The headers of the submissions of one call.
            records: The joined records.
        """
        return await self.coalesce(split(headers, records))

    @activity.defn(name=WRITE_ACTIVITIES[WritePath.UNBATCHED])
    async def write_unbatched(
        self, headers: list[SubmissionHeader], records: bytes
    ) -> list[Verdicts]:
        """Write each record with an INSERT and a commit of its own, and return the verdicts.

        Args:
            headers: The headers of the submissions of one call.
            records: The joined records.
        """
        gathered = gather(split(headers, records))
        async with _watched():
            with self._metrics.measured(None, WritePath.UNBATCHED):
                async with self._turn, self.guard.guarding():
                    result = await write_unbatched(
                        self._engine,
                        gathered.rows,
                        self._target,
                        attempt=activity.info().attempt,
                    )
        answers = gathered.verdicts(result, None)
        self._metrics.decided(None, WritePath.UNBATCHED, BatchResult.of(answers), 0)
        return answers

    @activity.defn(name=ANSWER_BUSY)
    async def answer_busy(self, answers: list[BusyAnswer], shard: int) -> None:
        """Send busy answers to requesters.

        Args:
            answers: At most one for each requester.
            shard: The shard of the batcher that gives them.
        """
        busy = {answer.requester: answer.busy for answer in answers}
        await send_to_all(self._client, BUSY_SIGNAL, busy)
        submissions = sum(len(answer.busy.submission_ids) for answer in answers)
        self._metrics.answered_busy(shard, submissions)

    async def coalesce(self, submissions: Sequence[Submission]) -> list[Verdicts]:
        """Wait until the submissions of the running activity are written in batches with others.

        Args:
            submissions: Their ids are the same in every attempt of the activity.
        """
        if self._drains is None:
            self._drains = asyncio.create_task(self._drain_at_shutdown())
        async with _watched(logged=True):
            return await self._coalescer.submit(submissions, attempt=activity.info().attempt)

    async def _write_coalesced(
        self, batch: BatchHeader, submissions: Sequence[Submission]
    ) -> list[Verdicts]:
        try:
            return await self._write(batch, submissions, WritePath.COALESCED)
        except DatabaseFailedError as error:
            # Once for the batch, not for each of its calls.
            log_failure(error)
            raise

    async def _write(
        self, batch: BatchHeader, submissions: Sequence[Submission], path: WritePath
    ) -> list[Verdicts]:
        """Write a batch, count and log it, and return the verdicts of each submission."""
        started = time.monotonic()
        gathered = gather(submissions)
        with self._metrics.measured(batch.shard, path, batch.reason):
            async with self._turn, self.guard.guarding():
                result = await write_batch(
                    self._engine,
                    gathered.rows,
                    BatchInfo(UUID(batch.batch_id), path, batch.shard, batch.reason),
                    self._target,
                    attempt=batch.attempt,
                    rows_per_statement=batch.rows_per_statement,
                    log=self._log,
                )
        answers = gathered.verdicts(result, batch.batch_id)
        counted = BatchResult.of(answers)
        self._metrics.batch_written(batch, path, time.time())
        self._metrics.decided(batch.shard, path, counted, result.bisect_statements)
        _log(batch, path, counted, time.monotonic() - started)
        return answers

    async def _drain_at_shutdown(self) -> None:
        await activity.wait_for_worker_shutdown()
        self._coalescer.drain()


@asynccontextmanager
async def _watched(*, logged: bool = False) -> AsyncIterator[None]:
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


def _log(batch: BatchHeader, path: WritePath, result: BatchResult, seconds: float) -> None:
    fields = {
        "batch_id": batch.batch_id,
        "shard": batch.shard,
        "write_path": path.value,
        "reason": batch.reason,
        "attempt": batch.attempt,
        "records": batch.records,
        **{verdict.value: getattr(result, verdict.value) for verdict in Verdict},
        "milliseconds": round(seconds * 1000),
    }
    shown = shown_verdicts(asdict(result))
    logger.info(
        "batch %s %s reason %s: %s, %.0f ms",
        batch.batch_id,
        path.value if batch.shard is None else f"shard {batch.shard}",
        batch.reason,
        ", ".join(f"{number} {name}" for name, number in shown.items()),
        seconds * 1000,
        extra={LOG_FIELDS: fields},
    )
