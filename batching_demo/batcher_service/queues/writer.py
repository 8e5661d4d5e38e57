"""Write batches of messages of others."""

import logging
import time
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.batcher_service.metrics import WorkerMetrics
from batching_demo.batcher_service.queues.intake import IntakeOptions, gather_messages
from batching_demo.contracts.batches import BatchHeader, BatchResult
from batching_demo.contracts.messages import Submission, Verdicts
from batching_demo.contracts.names import WritePath
from batching_demo.database.writing.rows import BatchInfo
from batching_demo.database.writing.target import RECORDS, Target
from batching_demo.database.writing.writes import write_batch

logger = logging.getLogger(__name__)


class IntakeWriter:
    """Writes the records of messages to a target.

    Args:
        engine: Commits every statement by itself.
        metrics: Count what is written.
        options: What the messages are.
        target: The table that records go to.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        metrics: WorkerMetrics,
        options: IntakeOptions,
        target: Target = RECORDS,
    ) -> None:
        self._engine = engine
        self._metrics = metrics
        self._options = options
        self._target = target

    async def write(self, batch: BatchHeader, submissions: Sequence[Submission]) -> list[Verdicts]:
        """Write a batch, count and log it, and return the verdicts of each submission.

        Raises:
            DatabaseFailedError: No record is to blame. The same batch may be written again.
        """
        started = time.monotonic()
        path = WritePath.QUEUED
        gathered = gather_messages(submissions, self._options)
        with self._metrics.measured(batch.shard, path, batch.reason):
            result = await write_batch(
                self._engine,
                gathered.rows,
                BatchInfo(UUID(batch.batch_id), path),
                self._target,
                attempt=batch.attempt,
                rows_per_statement=batch.rows_per_statement,
            )
        answers = gathered.verdicts(result, batch.batch_id)
        counted = BatchResult.of(answers)
        self._metrics.batch_written(batch, path, time.time())
        self._metrics.decided(
            batch.shard, path, self._options.target, counted, result.bisect_statements
        )
        _log(batch, counted, time.monotonic() - started)
        return answers


def _log(batch: BatchHeader, result: BatchResult, seconds: float) -> None:
    logger.info(
        "batch %s reason %s: %d written, %d duplicate, %d conflict, %d rejected, %.0f ms",
        batch.batch_id,
        batch.reason,
        result.written,
        result.duplicate,
        result.conflict,
        result.rejected,
        seconds * 1000,
    )
