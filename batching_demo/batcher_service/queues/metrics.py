"""The metrics of a queue that is consumed."""

import asyncio
import time

from temporalio.common import MetricMeter

from batching_demo.batcher_service.queues.source import Source
from batching_demo.batcher_service.queues.status import QueueStatus
from batching_demo.batcher_service.sampling import pause_after
from batching_demo.queue_servers.errors import QueueError

QUEUE_UP = "batching_queue_up"
QUEUE_LENGTH = "batching_queue_length"
QUEUE_PENDING = "batching_queue_pending"
QUEUE_OLDEST = "batching_queue_oldest_age_seconds"
QUEUE_REDELIVERED = "batching_queue_redelivered"
QUEUE_CLAIMED = "batching_queue_claimed"


class QueueMetrics:
    """What is on a queue, and what its consumer takes over from others.

    Args:
        meter: Of the worker.
        queue: The name of the queue.
    """

    def __init__(self, meter: MetricMeter, queue: str) -> None:
        meter = meter.with_additional_attributes({"queue": queue})
        self._up = meter.create_gauge(QUEUE_UP, "1 if the queue answered when last asked.")
        self._length = meter.create_gauge(QUEUE_LENGTH, "Messages on the queue.")
        self._pending = meter.create_gauge(
            QUEUE_PENDING, "Messages that a consumer was given, and that have no verdict."
        )
        self._oldest = meter.create_gauge_float(
            QUEUE_OLDEST, "How long ago the oldest message without a verdict was sent."
        )
        self._redelivered = meter.create_gauge(
            QUEUE_REDELIVERED, "Pending messages that were delivered more than once."
        )
        self._claimed = meter.create_counter(
            QUEUE_CLAIMED, "Messages that were taken over from other consumers."
        )
        self._claimed_before = 0

    def show_server(self, is_up: bool) -> None:
        """Show whether the queue answered."""
        self._up.set(int(is_up))

    def show(self, status: QueueStatus) -> None:
        """Show what is on the queue."""
        self._length.set(status.length)
        self._pending.set(status.pending)
        if status.oldest_seconds is not None:
            self._oldest.set(status.oldest_seconds)
        if status.redelivered is not None:
            self._redelivered.set(status.redelivered)

    def claimed(self, so_far: int) -> None:
        """Count what was claimed since the last call."""
        self._claimed.add(so_far - self._claimed_before)
        self._claimed_before = so_far


async def sample_queue(source: Source, metrics: QueueMetrics) -> None:
    """Look at a queue every few seconds, until it is cancelled."""
    task = asyncio.current_task()
    # redis-py may swallow a cancellation.
    while task and not task.cancelling():
        started = time.monotonic()
        try:
            metrics.show(await source.status())
        except QueueError:
            # What receives reports it.
            metrics.show_server(False)
        else:
            metrics.show_server(True)
        metrics.claimed(source.claimed)
        await asyncio.sleep(pause_after(time.monotonic() - started))
