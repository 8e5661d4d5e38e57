"""Write the submissions of a batch, those of each target with a write of their own."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.batcher_service.metrics import WorkerMetrics
from batching_demo.batcher_service.verdicts import Gathered, by_target, gather
from batching_demo.batcher_service.written import Written
from batching_demo.contracts.batches import (
    UNKNOWN_TARGET,
    BatchHeader,
    BatchResult,
    describe_origin,
)
from batching_demo.contracts.messages import Submission, Verdict, Verdicts, shown_verdicts
from batching_demo.contracts.names import LOG_FIELDS, WritePath
from batching_demo.contracts.targets import RECORDS_TARGET
from batching_demo.database.advice import OUTAGE_ADVICE
from batching_demo.database.batch_log.log import BatchLog
from batching_demo.database.errors import DatabaseFailedError, Failure, FailureKind
from batching_demo.database.targets.records import RECORDS
from batching_demo.database.targets.registry import Targets
from batching_demo.database.writing.row_writer import WriteResult
from batching_demo.database.writing.rows import BatchInfo, Rows
from batching_demo.database.writing.target import Target
from batching_demo.database.writing.writes import try_target, write_batch, write_unbatched

LONGEST_TRY_SECONDS = 10.0
"""After this the database is taken for silent. A try sends few statements, and no rows."""
WriteRows = Callable[[Rows, Target], Awaitable[WriteResult]]
"""Writes the rows of one target."""
UNKNOWN_LABEL = "unknown"
"""In metrics, of all targets that nobody knows: their names would be without end."""
logger = logging.getLogger(__name__)


class BatchWriter:
    """Writes batches whose submissions may be for several targets.

    Args:
        engine: Commits every statement by itself.
        targets: The tables that records may go to.
        metrics: Count what is written.
        guarding: Lets nothing be written to another database than that of the namespace.
        connections: Writes at a time.
        log: The log of batches; None writes none.
        gather: Makes rows of submissions.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        targets: Targets,
        metrics: WorkerMetrics,
        guarding: Callable[[], AbstractAsyncContextManager[None]],
        connections: int,
        log: BatchLog | None = None,
        gather: Callable[[Iterable[Submission]], Gathered] = gather,
    ) -> None:
        self._engine = engine
        self._log = log
        self._targets = targets
        self._metrics = metrics
        self._guarding = guarding
        self._gather = gather
        # There are more activities than connections, since coalesced calls mostly wait for others.
        self._turn = asyncio.Semaphore(connections)

    def knows(self, target: str) -> bool:
        """Return whether there is a target of a name."""
        return target in self._targets

    async def write(
        self, batch: BatchHeader, submissions: Sequence[Submission], path: WritePath
    ) -> Written:
        """Write a batch, count and log it, and return the verdicts.

        If the write of one target fails, those of the others are made all the same.

        Args:
            batch: What the submissions have in common.
            submissions: Those of the batch.
            path: How they came.
        """
        info = BatchInfo(UUID(batch.batch_id), path, batch.shard, batch.reason)
        written = Written()

        async def write_rows(rows: Rows, target: Target) -> WriteResult:
            return await write_batch(
                self._engine,
                rows,
                info,
                target,
                attempt=batch.attempt,
                rows_per_statement=batch.rows_per_statement,
                log=self._log,
            )

        with self._metrics.flushed(batch, path) as flush:
            for target, places in by_target(submissions).items():
                gathered = self._gather(submissions[place] for place in places)
                started = time.monotonic()
                try:
                    answers, result = await self._write(target, gathered, path, write_rows, batch)
                except DatabaseFailedError as error:
                    written.failure = written.failure or error
                    flush.has_failed = True
                    if error.failure.kind is FailureKind.OUTAGE:
                        break  # the others would only wait for the same server
                    continue
                written.answers.update(zip(places, answers, strict=True))
                _log(batch, path, target, len(gathered.rows), result, time.monotonic() - started)
        if not written.failure:
            self._metrics.batch_written(batch, path, time.time())
        return written

    async def try_target(self, name: str) -> None:
        """Find out whether the records of a target can be written now.

        It waits until one of the writes that run has ended, if there are as many as there may be.

        Raises:
            DatabaseFailedError: They cannot.
        """
        async with self._turn:
            try:
                async with asyncio.timeout(LONGEST_TRY_SECONDS), self._guarding():
                    await try_target(self._engine, await self._targets.find(self._engine, name))
            except TimeoutError:
                silent = Failure(FailureKind.OUTAGE, OUTAGE_ADVICE)
                raise DatabaseFailedError(silent) from None

    async def write_unbatched(self, submissions: Sequence[Submission], attempt: int) -> Written:
        """Write each record with an INSERT and a commit of its own, and return the verdicts.

        Args:
            submissions: Those of one call.
            attempt: The attempt of the call, from 1.

        Raises:
            DatabaseFailedError: No record is to blame.
        """
        written = Written()

        async def write_rows(rows: Rows, target: Target) -> WriteResult:
            return await write_unbatched(self._engine, rows, target, attempt=attempt)

        for target, places in by_target(submissions).items():
            gathered = self._gather(submissions[place] for place in places)
            answers, _ = await self._write(target, gathered, WritePath.UNBATCHED, write_rows)
            written.answers.update(zip(places, answers, strict=True))
        return written

    async def _write(
        self,
        target: str,
        gathered: Gathered,
        path: WritePath,
        write_rows: WriteRows,
        batch: BatchHeader | None = None,
    ) -> tuple[list[Verdicts], BatchResult]:
        """Write the rows of one target, and return the verdicts and the number of each.

        Raises:
            DatabaseFailedError: No record is to blame.
        """
        shard, batch_id = (batch.shard, batch.batch_id) if batch else (None, None)
        label = target if self.knows(target) else UNKNOWN_LABEL
        with self._metrics.measured(shard, path, label):
            result = await self._write_rows(target, gathered.rows, write_rows)
        answers = gathered.verdicts(result, batch_id)
        counted = BatchResult.of(answers)
        self._metrics.decided(shard, path, label, counted, result.bisect_statements)
        return answers, counted

    async def _write_rows(self, name: str, rows: Rows, write_rows: WriteRows) -> WriteResult:
        """Write rows once a connection is free.

        Those of a target that is not known are rejected: no repetition would mend that.
        """
        async with self._turn, self._guarding():
            if self.knows(name):
                return await write_rows(rows, await self._targets.find(self._engine, name))
            rows.reject(f"{UNKNOWN_TARGET}: {self._describe_unknown(name)}")
            return await write_rows(rows, RECORDS)

    def _describe_unknown(self, name: str) -> str:
        return (
            f"the batcher worker has no target {name!r}, only {', '.join(self._targets.names)}:"
            " correct the name, or declare it in the file of --targets and restart the batcher"
            " workers"
        )


def _log(
    batch: BatchHeader,
    path: WritePath,
    target: str,
    records: int,
    result: BatchResult,
    seconds: float,
) -> None:
    fields = {
        "batch_id": batch.batch_id,
        "shard": batch.shard,
        "write_path": path.value,
        "reason": batch.reason,
        "target": target,
        "attempt": batch.attempt,
        "records": records,
        **{verdict.value: getattr(result, verdict.value) for verdict in Verdict},
        "milliseconds": round(seconds * 1000),
    }
    shown = shown_verdicts(asdict(result))
    logger.info(
        "batch %s %s reason %s%s: %s, %.0f ms",
        batch.batch_id,
        describe_origin(path, batch.shard),
        batch.reason,
        "" if target == RECORDS_TARGET else f" target {target}",
        ", ".join(f"{number} {name}" for name, number in shown.items()),
        seconds * 1000,
        extra={LOG_FIELDS: fields},
    )
