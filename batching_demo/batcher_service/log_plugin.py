"""Finish the log of batches when a batcher worker ends."""

from collections.abc import Awaitable, Callable

from temporalio.plugin import SimplePlugin
from temporalio.worker import Worker

from batching_demo.database.batch_log.log import BatchLog


class BatchLogPlugin(SimplePlugin):
    """Adds the last results to the log of batches once the worker has ended.

    Args:
        log: Of the worker.
    """

    def __init__(self, log: BatchLog) -> None:
        super().__init__("batching_demo.batch_log")
        self._log = log

    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:
        """Run a worker."""
        try:
            await next(worker)
        finally:
            await self._log.close()
