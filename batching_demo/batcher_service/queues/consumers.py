"""Consume the streams of all shards that requesters submit to."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

from temporalio.common import MetricMeter
from temporalio.plugin import SimplePlugin
from temporalio.worker import Worker

from batching_demo.batcher_service.coalescer import Write
from batching_demo.batcher_service.queues.consumer import DEFAULT_MAX_DELIVERIES, Consumer
from batching_demo.batcher_service.queues.metrics import QueueMetrics, sample_queue
from batching_demo.batcher_service.queues.redis_streams.source import StreamOptions, StreamSource
from batching_demo.batcher_service.queues.submissions import submissions_of
from batching_demo.contracts.names import COMMON_SHARD
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.queue_servers.errors import QueueAwayError
from batching_demo.queue_servers.stream_client import open_client, redis_errors
from batching_demo.queue_servers.submission_streams import (
    BODY_FIELD,
    GROUP,
    shards_key,
    stream_address,
)

LOOK_SECONDS = 1.0
"""Between two looks for shards that are new."""
CLAIM_AFTER_SECONDS = 60.0
logger = logging.getLogger(__name__)


class SubmissionConsumers:
    """Consumes the stream of each shard that anything was submitted to.

    Args:
        queue_url: The server and the database that have the streams.
        namespace: Of the requesters.
        settings: When a batch is due.
        write: Writes a batch, and sends its verdicts.
        meter: Of the worker.
        claim_after_seconds: How long a message stays with a worker that has died.
    """

    def __init__(
        self,
        queue_url: str,
        namespace: str,
        settings: BatcherSettings,
        write: Write,
        meter: MetricMeter,
        *,
        claim_after_seconds: float = CLAIM_AFTER_SECONDS,
    ) -> None:
        self._queue_url = queue_url
        self._namespace = namespace
        self._settings = settings
        self._write = write
        self._meter = meter
        self._options = StreamOptions(
            group=GROUP, body_field=BODY_FIELD, claim_after_seconds=claim_after_seconds
        )
        self._address = stream_address(queue_url, namespace, COMMON_SHARD)

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop` is set, then write and ack what is held.

        Raises:
            QueueError: The server refuses what is asked.
        """
        consumed: set[int] = set()
        try:
            async with asyncio.TaskGroup() as consumers:
                async for shard in self._shards(stop):
                    if shard not in consumed:
                        consumed.add(shard)
                        consumers.create_task(self._consume(shard, stop))
        except BaseExceptionGroup as errors:
            # All of them have met the same server.
            raise errors.exceptions[0] from None

    async def _shards(self, stop: asyncio.Event) -> AsyncIterator[int]:
        """Yield the shards that anything was submitted to, again and again until `stop` is set."""
        yield COMMON_SHARD
        client = open_client(self._address)
        try:
            while not stop.is_set():
                # If it is away, the consumer of the common shard reports it.
                with suppress(QueueAwayError), redis_errors(self._address):
                    for shard in sorted(await client.smembers(shards_key(self._namespace))):
                        yield int(shard)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), LOOK_SECONDS)
        finally:
            await client.aclose()

    async def _consume(self, shard: int, stop: asyncio.Event) -> None:
        address = stream_address(self._queue_url, self._namespace, shard)
        source = StreamSource(address, self._options)
        consumer = Consumer(
            source,
            self._settings,
            submissions_of,
            self._write,
            max_deliveries=DEFAULT_MAX_DELIVERIES,
            shard=shard,
        )
        logger.info("consuming %s", source.place)
        sampling = asyncio.create_task(
            sample_queue(source, QueueMetrics(self._meter, source.queue))
        )
        try:
            await consumer.run(stop)
        finally:
            sampling.cancel()
            with suppress(QueueAwayError):
                await source.close()


class SubmissionsPlugin(SimplePlugin):
    """Has a worker consume the submissions of a queue, too. An error of the queue ends the worker.

    Args:
        consumers: Of the queue.
    """

    def __init__(self, consumers: SubmissionConsumers) -> None:
        super().__init__("batching_demo submissions")
        self._consumers = consumers

    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:
        """Run the worker. When it ends, write what is held.

        Raises:
            QueueError: The server refuses what is asked.
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
