"""Have a batcher worker consume the streams of submissions."""

import asyncio
from collections.abc import Awaitable, Callable

from temporalio.plugin import SimplePlugin
from temporalio.worker import Worker

from batching_demo.batcher_service.queues.consumers import SubmissionConsumers


class SubmissionsPlugin(SimplePlugin):
    """Has a worker consume the submissions of a queue, too.

    Args:
        consumers: Of the queue.
    """

    def __init__(self, consumers: SubmissionConsumers) -> None:
        super().__init__("batching_demo submissions")
        self._consumers = consumers

    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:
        """Run the worker. When it ends, write what is held.

        Raises:
            QueueUnusableError: The server of the queue is none that can be used.
        """
        stop = asyncio.Event()
        running = asyncio.ensure_future(next(worker))
        consuming = asyncio.create_task(self._consumers.run(stop))
        try:
            await asyncio.wait((running, consuming), return_when=asyncio.FIRST_COMPLETED)
            if consuming.done():
                consuming.result()
            await running
        finally:
            stop.set()
            running.cancel()
            await asyncio.gather(running, consuming, return_exceptions=True)
