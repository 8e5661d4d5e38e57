"""Write batches of messages of others."""

from collections.abc import Sequence
from contextlib import nullcontext

from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.batcher_service.batch_writer import BatchWriter
from batching_demo.batcher_service.metrics import WorkerMetrics
from batching_demo.batcher_service.queues.intake import Intake
from batching_demo.contracts.batches import BatchHeader
from batching_demo.contracts.messages import Submission, Verdicts
from batching_demo.contracts.names import WritePath
from batching_demo.database.batch_log.log import BatchLog
from batching_demo.database.targets.registry import Targets


class IntakeWriter:
    """Writes the records of messages.

    Args:
        engine: Commits every statement by itself.
        targets: The tables that records may go to.
        metrics: Count what is written.
        intake: What the messages are.
        connections: Writes at a time.
        log: The log of batches; None writes none.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        targets: Targets,
        metrics: WorkerMetrics,
        intake: Intake,
        connections: int,
        log: BatchLog | None = None,
    ) -> None:
        # No namespace is involved, so there is none whose database it has to be.
        self._target = intake.target
        self._writer = BatchWriter(
            engine, targets, metrics, nullcontext, connections, log, gather=intake.gather
        )

    async def probe(self) -> None:
        """Find out whether records can be written now.

        Raises:
            DatabaseFailedError: They cannot.
        """
        await self._writer.try_target(self._target)

    async def write(self, batch: BatchHeader, submissions: Sequence[Submission]) -> list[Verdicts]:
        """Write a batch, and return the verdicts of each submission.

        Raises:
            DatabaseFailedError: No record is to blame. The same batch may be written again.
        """
        written = await self._writer.write(batch, submissions, WritePath.QUEUED)
        written.raise_failure()
        return written.in_order()
