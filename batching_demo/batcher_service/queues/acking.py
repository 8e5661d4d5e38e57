"""Ack messages, and keep those that are held, however long the queue is away."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from batching_demo.batcher_service.queues.holding import Holding
from batching_demo.batcher_service.queues.outage import PAUSE_SECONDS, Outage
from batching_demo.batcher_service.queues.source import Message, Source
from batching_demo.queue_servers.errors import QueueAwayError


class Acks:
    """Acks the messages of one consumer, and keeps alive what it holds.

    Args:
        source: The queue.
        held: What the consumer holds.
        outage: Of the queue.
    """

    def __init__(self, source: Source, held: Holding, outage: Outage) -> None:
        self._source = source
        self._held = held
        self._outage = outage
        self.is_stopping = False
        """Whether the consumer stops, and waits no longer for a queue that is away."""
        self.has_stopped = False

    async def ack(self, messages: Sequence[Message]) -> None:
        """Ack messages, and hold them no longer."""
        if await self._patiently(lambda: self._source.ack(messages)):
            self._held.forget(messages)

    async def keep_alive(self) -> None:
        """Keep what is held from being delivered to others, until `has_stopped` is set."""
        while not self.has_stopped:
            await asyncio.sleep(self._source.keep_alive_seconds)
            await self._patiently(self._source.keep_alive)

    async def _patiently(self, call: Callable[[], Awaitable[None]]) -> bool:
        """Call until the queue answers; return False if it does not and the consumer stops."""
        while True:
            try:
                await call()
            except QueueAwayError as error:
                self._outage.met(error)
                if self.is_stopping:
                    return False
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return True
