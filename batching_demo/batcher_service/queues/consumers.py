"""Consume the streams of all shards that requesters submit to."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial

from temporalio.common import MetricMeter
from temporalio.converter import DataConverter

from batching_demo.batcher_service.coalescer import Write
from batching_demo.batcher_service.queues.consumer import Consumer
from batching_demo.batcher_service.queues.metrics import QueueMetrics, sample_queue
from batching_demo.batcher_service.queues.outage import PAUSE_SECONDS, Outage
from batching_demo.batcher_service.queues.receiving import DEFAULT_MAX_DELIVERIES, Probe
from batching_demo.batcher_service.queues.redis_streams.options import StreamOptions
from batching_demo.batcher_service.queues.redis_streams.source import StreamSource
from batching_demo.batcher_service.queues.submissions import submissions_of
from batching_demo.batcher_service.queues.turns import SuspectTurns
from batching_demo.contracts.names import COMMON_SHARD
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.queue_servers.entries import packed_in
from batching_demo.queue_servers.errors import QueueAwayError, QueueError, QueueUnusableError
from batching_demo.queue_servers.stream_client import check_server, open_client
from batching_demo.queue_servers.stream_errors import redis_errors
from batching_demo.queue_servers.submission_streams import (
    BODY_FIELD,
    GROUP,
    shards_key,
    shards_of,
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
        probe: Tries the database.
        meter: Of the worker.
        converter: Decrypts what requesters have encrypted.
        claim_after_seconds: How long a message stays with a worker that has died.
    """

    def __init__(
        self,
        queue_url: str,
        namespace: str,
        settings: BatcherSettings,
        write: Write,
        probe: Probe,
        meter: MetricMeter,
        converter: DataConverter,
        *,
        claim_after_seconds: float = CLAIM_AFTER_SECONDS,
    ) -> None:
        self._queue_url = queue_url
        self._namespace = namespace
        self._settings = settings
        self._write = write
        self._probe = probe
        self._meter = meter
        self._decrypt = partial(packed_in, converter=converter)
        self._options = StreamOptions(
            group=GROUP, body_field=BODY_FIELD, claim_after_seconds=claim_after_seconds
        )
        self._address = stream_address(queue_url, namespace, COMMON_SHARD)
        self._turns = SuspectTurns()
        # All streams are on one server, which is away for all of them.
        self._away = Outage("the queue")
        self._refusing = Outage("the queue")

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop` is set, then write and ack what is held.

        A server that is away, or refuses what is asked, is waited for: the worker does more than
        this.

        Raises:
            QueueUnusableError: At the start the server is found to be none that can be used.
        """
        await self._check()
        consumed: set[int] = set()
        async with asyncio.TaskGroup() as consumers:
            async for shard in self._shards(stop):
                if shard not in consumed:
                    consumed.add(shard)
                    consumers.create_task(self._consume(shard, stop))

    async def _check(self) -> None:
        client = open_client(self._address)
        try:
            await check_server(client, self._address)
        except QueueUnusableError:
            raise
        except QueueError as error:
            self._report(error)
        finally:
            await client.aclose()

    async def _shards(self, stop: asyncio.Event) -> AsyncIterator[int]:
        """Yield the shards that anything was submitted to, again and again until `stop` is set."""
        yield COMMON_SHARD
        client = open_client(self._address)
        try:
            while not stop.is_set():
                try:
                    with redis_errors(self._address):
                        known = shards_of(await client.smembers(shards_key(self._namespace)))
                except QueueError as error:
                    self._report(error)
                else:
                    for shard in known:
                        yield shard
                await _pause(stop, LOOK_SECONDS)
        finally:
            await client.aclose()

    async def _consume(self, shard: int, stop: asyncio.Event) -> None:
        """Consume the stream of a shard, and begin anew whenever that fails."""
        logger.info("consuming %s", stream_address(self._queue_url, self._namespace, shard))
        while not stop.is_set():
            try:
                await self._consume_until_error(shard, stop)
            except QueueError as error:
                self._report(error)
            except Exception:
                # As if the worker had died: the message comes again, and alone in the end.
                logger.exception("the consumer of shard %d has failed, and begins anew", shard)
            await _pause(stop, PAUSE_SECONDS)

    async def _consume_until_error(self, shard: int, stop: asyncio.Event) -> None:
        address = stream_address(self._queue_url, self._namespace, shard)
        source = StreamSource(address, self._options, self._decrypt)
        consumer = Consumer(
            source,
            self._settings,
            submissions_of,
            self._write,
            self._probe,
            max_deliveries=DEFAULT_MAX_DELIVERIES,
            shard=shard,
            turns=self._turns,
            outage=self._away,
        )
        sampling = asyncio.create_task(
            sample_queue(source, QueueMetrics(self._meter, source.queue))
        )
        try:
            await consumer.run(stop)
        finally:
            sampling.cancel()
            with suppress(QueueError):
                await source.close()

    def _report(self, error: QueueError) -> None:
        (self._away if isinstance(error, QueueAwayError) else self._refusing).met(error)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait, or return once `stop` is set."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
