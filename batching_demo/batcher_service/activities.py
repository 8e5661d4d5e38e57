"""The activities that write records and send the answers."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import inf

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError

from batching_demo.batcher_service.answer_sizes import in_one_result
from batching_demo.batcher_service.batch_writer import BatchWriter
from batching_demo.batcher_service.coalescer import Coalescer
from batching_demo.batcher_service.confirmations import confirm, send_to_all
from batching_demo.batcher_service.failures import log_failure
from batching_demo.batcher_service.heartbeats import watched
from batching_demo.batcher_service.identity.guard import IdentityGuard
from batching_demo.batcher_service.metrics import WorkerMetrics
from batching_demo.batcher_service.written import Written
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
    Verdicts,
)
from batching_demo.contracts.names import BUSY_SIGNAL, WRITE_ACTIVITIES, WritePath
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.contracts.targets import RECORDS_TARGET
from batching_demo.database.batch_log.log import BatchLog
from batching_demo.database.errors import DatabaseFailedError, Failure, FailureKind
from batching_demo.database.targets.registry import Targets


class WriteActivities:
    """The activities that write, on one engine, and that answer, through one Temporal client.

    Those that write raise an `ApplicationError`, with advice and SQLSTATE, if the database fails.

    Args:
        engine: Commits every statement by itself.
        client: Sends verdicts and busy answers.
        connections: Connections of the engine, and so writes at a time.
        coalescing: When the calls of the coalesced path are written.
        targets: The tables that records may go to; by default only the built-in one.
        log: The log of batches; None writes none.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        client: Client,
        connections: int,
        coalescing: BatcherSettings,
        targets: Targets | None = None,
        log: BatchLog | None = None,
    ) -> None:
        self._client = client
        self._metrics = WorkerMetrics.of(client)
        self.guard = IdentityGuard(engine, client)
        self._writer = BatchWriter(
            engine, targets or Targets(), self._metrics, self.guard.guarding, connections, log
        )
        self._coalescing = coalescing
        self._coalescers: dict[str, Coalescer] = {}
        """By target: none waits for the writes of another one."""
        self._drains: asyncio.Task[None] | None = None
        self._is_draining = False

    @activity.defn(name=WRITE_BATCH)
    async def write_batch(self, batch: BatchHeader, records: bytes) -> BatchResult:
        """Write a batch, send the verdicts to its requesters, and return the number of each.

        Args:
            batch: The batch without its records.
            records: The joined records of its submissions.
        """
        async with watched():
            submissions = split(batch.submissions, records)
            written = await self._writer.write(batch, submissions, WritePath.BATCHED)
            await self._confirm(batch, written)
        return BatchResult.of(written.in_order())

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
        submissions = split(headers, records)
        async with watched():
            written = await self._writer.write_unbatched(submissions, activity.info().attempt)
        return in_one_result(written.in_order())

    async def write_queued(
        self, batch: BatchHeader, submissions: Sequence[Submission]
    ) -> list[Verdicts]:
        """Write a batch that came through a queue, and send the verdicts to its requesters.

        Raises:
            DatabaseFailedError: No record is to blame, or the database cannot be told from others.
        """
        with _temporal_errors():
            written = await self._writer.write(batch, submissions, WritePath.QUEUED)
        await self._confirm(batch, written)
        return written.in_order()

    async def probe_queued(self) -> None:
        """Find out whether records can be written now.

        Raises:
            DatabaseFailedError: They cannot, or the database cannot be told from others.
        """
        with _temporal_errors():
            await self._writer.try_target(RECORDS_TARGET)

    @activity.defn(name=ANSWER_BUSY)
    async def answer_busy(self, answers: list[BusyAnswer], shard: int) -> None:
        """Send busy answers to requesters.

        Args:
            answers: At most one for each requester.
            shard: The shard of the batcher that gives them.
        """
        busy = {answer.requester: answer.busy for answer in answers}
        await send_to_all(self._client, BUSY_SIGNAL, busy.items())
        submissions = sum(len(answer.busy.submission_ids) for answer in answers)
        self._metrics.answered_busy(shard, submissions)

    async def coalesce(self, submissions: Sequence[Submission]) -> list[Verdicts]:
        """Wait until the submissions of the running activity are written in batches with others.

        Args:
            submissions: All for the same target. Their ids are the same in every attempt of the
                activity.
        """
        if self._drains is None:
            self._drains = asyncio.create_task(self._drain_at_shutdown())
        if not submissions:
            return []
        coalescer = self._coalescer(submissions[0].header.target)
        async with watched(logged=True):
            answers = await coalescer.submit(
                submissions, attempt=activity.info().attempt, seconds=_seconds_of_attempt()
            )
        return in_one_result(answers)

    async def _confirm(self, batch: BatchHeader, written: Written) -> None:
        """Send the verdicts of the targets that have not failed.

        Raises:
            DatabaseFailedError: The others have failed, and are to be written again.
        """
        headers = [batch.submissions[place] for place in written.answers]
        answers = list(written.answers.values())
        self._metrics.confirmed(await confirm(self._client, headers, answers))
        written.raise_failure()

    def _coalescer(self, target: str) -> Coalescer:
        """Return the coalescer of a target. Targets that nobody knows share one."""
        name = target if self._writer.knows(target) else ""
        if name not in self._coalescers:
            self._coalescers[name] = Coalescer(self._coalescing, self._write_coalesced)
            if self._is_draining:
                self._coalescers[name].drain()
        return self._coalescers[name]

    async def _write_coalesced(
        self, batch: BatchHeader, submissions: Sequence[Submission]
    ) -> list[Verdicts]:
        written = await self._writer.write(batch, submissions, WritePath.COALESCED)
        try:
            written.raise_failure()
        except DatabaseFailedError as error:
            # Once for the batch, not for each of its calls.
            log_failure(error)
            raise
        return written.in_order()

    async def _drain_at_shutdown(self) -> None:
        await activity.wait_for_worker_shutdown()
        self._is_draining = True
        for coalescer in self._coalescers.values():
            coalescer.drain()


def _seconds_of_attempt() -> float:
    """Return how long the server lets the running attempt take."""
    info = activity.info()
    timeouts = (info.start_to_close_timeout, info.schedule_to_close_timeout)
    return min((timeout.total_seconds() for timeout in timeouts if timeout), default=inf)


@contextmanager
def _temporal_errors() -> Iterator[None]:
    """Raise errors of Temporal as those of a database that nobody can tell from others."""
    try:
        yield
    except RPCError as error:
        reason = f"Temporal does not say which database is its own ({error.status.name})"
        raise DatabaseFailedError(Failure(FailureKind.OUTAGE, reason)) from None
