"""Hold the messages of a queue until a batch of them is due, write them, and ack them.

The queue keeps a message until it is acked. If the consumer dies, the queue delivers the message to
another one, and the verdict stays the same, since it depends on the table and the record alone.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import uuid4

from batching_demo.batcher_service.batch_writer import PartlyWrittenError
from batching_demo.batcher_service.coalescer import Write
from batching_demo.batcher_service.queues.holding import Holding
from batching_demo.batcher_service.queues.outage import PAUSE_SECONDS, QueueOutage
from batching_demo.batcher_service.queues.source import DELIVERIES_TOGETHER, Message, Source
from batching_demo.contracts.batches import BatchResult
from batching_demo.contracts.messages import Submission
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.core.admission import LARGEST_BUFFER_BYTES
from batching_demo.core.flusher import Batch, Flusher
from batching_demo.database.errors import DatabaseFailedError
from batching_demo.queue_servers.errors import QueueAwayError

DELIVERED_TOO_OFTEN = "delivered_too_often"
"""The reason of a message that has been delivered often, and never had a verdict."""
LEAST_MAX_DELIVERIES = DELIVERIES_TOGETHER + 2
"""So each message is written alone at least once before it is given up."""
DEFAULT_MAX_DELIVERIES = 5
FIRST_GUESS_BYTES = 1024
"""The size of a message before the first one."""
Read = Callable[[Message, float], Sequence[Submission]]
"""Returns the submissions of a message that came at a time. It refuses none: what is no submission
becomes one that is rejected. The same message always has the same submission ids."""
logger = logging.getLogger(__name__)


class Consumer:
    """Consumes a queue. Its batches are flushed by the same policy as in a batcher.

    Args:
        source: The queue.
        settings: When a batch is due.
        read: Turns messages into submissions.
        write: Writes a batch.
        max_deliveries: At this delivery a message becomes a dead letter, and is not written.
        shard: The shard that the batches are counted for; None if they are of none.
    """

    def __init__(
        self,
        source: Source,
        settings: BatcherSettings,
        read: Read,
        write: Write,
        *,
        max_deliveries: int,
        shard: int | None = None,
    ) -> None:
        self._source = source
        self._read = read
        self._write_batch = write
        self._max_deliveries = max_deliveries
        self._flusher = Flusher(settings, shard)
        self._held = Holding()
        self._outage = QueueOutage(source.queue)
        self._message_bytes = FIRST_GUESS_BYTES
        self._receiving: asyncio.Task[None] | None = None
        self._receive_at = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        """The writes and acks that run."""
        self._is_stopping = self._has_stopped = False
        self._gives_up = False

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop` is set, then write and ack what is held.

        If the database or the queue is away by then, what is held stays in the queue.

        Raises:
            QueueError: The queue refuses what is asked.
        """
        stopped = asyncio.create_task(stop.wait())
        keeping = asyncio.create_task(self._keep_alive())
        try:
            while True:
                if stop.is_set() and not self._is_stopping:
                    self._begin_to_stop()
                if self._has_ended:
                    break
                await self._turn([keeping] if stop.is_set() else [keeping, stopped])
            if len(self._held):
                with suppress(QueueAwayError):
                    await self._source.give_up()
        finally:
            # redis-py may swallow a cancellation, so nothing may go on for ever after one.
            self._is_stopping = self._has_stopped = True
            tasks = [stopped, keeping, *self._running]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def _running(self) -> list[asyncio.Task[None]]:
        return [*self._tasks, *([self._receiving] if self._receiving else [])]

    @property
    def _has_ended(self) -> bool:
        is_done = self._gives_up or self._flusher.is_idle
        return self._is_stopping and is_done and not self._running

    def _begin_to_stop(self) -> None:
        self._is_stopping = True
        self._flusher.control.drain(time.time())
        # It cannot wait until a failing database is tried again.
        self._flusher.health.retry_now()

    async def _turn(self, others: Sequence[asyncio.Task[Any]]) -> None:
        """Start what is due, and wait until something has ended or is due."""
        now = time.time()
        if not self._gives_up:
            self._start_writes(now)
        if self._receiving is None and (call := self._next_call(now)):
            self._receiving = asyncio.create_task(call)
        done, _ = await asyncio.wait(
            [*others, *self._running],
            timeout=self._seconds_until_due(now),
            return_when=asyncio.FIRST_COMPLETED,
        )
        for task in done:
            task.result()
            self._tasks.discard(task)
            if task is self._receiving:
                self._receiving = None

    def _seconds_until_due(self, now: float) -> float | None:
        times = [self._receive_at] if self._receive_at > now else []
        if not self._gives_up and (wake_at := self._flusher.wake_at(now)) is not None:
            times.append(wake_at)
        return max(0.0, min(times) - now) if times else None

    def _start_writes(self, now: float) -> None:
        while reason := self._flusher.due(now):
            batch = self._flusher.take(str(uuid4()), reason, now)
            self._tasks.add(asyncio.create_task(self._write(batch)))

    def _next_call(self, now: float) -> Any:
        """Return the call that receives; None if nothing should be received now."""
        if self._is_stopping or now < self._receive_at or self._has_to_wait:
            return None
        if self._source.has_suspects:
            # One is received once nothing else is held.
            self._flusher.control.flush(now)
            return None if len(self._held) else self._receive_suspect()
        room = self._room()
        return self._receive(room) if room else None

    @property
    def _has_to_wait(self) -> bool:
        """Whether the database has to take what is held first."""
        return self._flusher.health.is_failing and not self._flusher.is_idle

    def _room(self) -> int:
        """Return how many messages may be received.

        That is up to one batch more than are in flight, and about as many as have the bytes of the
        largest buffer.
        """
        buffer = self._flusher.buffer
        batches = buffer.settings.max_in_flight + 1
        room = max(0, batches * buffer.settings.max_records - len(self._held))
        size = LARGEST_BUFFER_BYTES - buffer.bytes
        return min(room, max(1, size // self._message_bytes)) if size > 0 else 0

    async def _receive(self, room: int) -> None:
        try:
            messages = await self._source.receive(room)
        except QueueAwayError as error:
            self._is_away(error)
        else:
            self._outage.over()
            self._take_in(messages)

    async def _receive_suspect(self) -> None:
        try:
            suspect = await self._source.receive_suspect()
        except QueueAwayError as error:
            self._is_away(error)
        else:
            self._take_in([suspect] if suspect else [])
            # Nothing will join it, so it need not linger.
            self._flusher.control.flush(time.time())

    def _is_away(self, error: QueueAwayError) -> None:
        self._outage.met(error)
        self._receive_at = time.time() + PAUSE_SECONDS

    def _take_in(self, messages: Sequence[Message]) -> None:
        now = time.time()
        for message in messages:
            checked = self._checked(message)
            submissions = self._read(checked, now)
            if self._held.add(checked, submissions):
                for submission in submissions:
                    # Of a message that comes again, an earlier attempt may have stored the records.
                    self._flusher.buffer.add(submission, min(message.deliveries, 2))
        if messages:
            self._message_bytes = 1 + sum(len(one.body) for one in messages) // len(messages)

    def _checked(self, message: Message) -> Message:
        """Return a message, with a problem if it has been delivered too often."""
        if message.deliveries < self._max_deliveries:
            return message
        detail = f"it was delivered {message.deliveries} times, and never had a verdict"
        return replace(message, problem=f"{DELIVERED_TOO_OFTEN}: {detail}")

    async def _write(self, batch: Batch) -> None:
        """Write a batch, and ack the messages that are complete with it.

        Any other error than one of the database ends the consumer. So a message that causes it
        comes again, and alone in the end.
        """
        try:
            answers = await self._write_batch(batch.header, batch.submissions)
        except DatabaseFailedError as error:
            logger.warning(
                "database failed (SQLSTATE %s): %s", error.failure.sqlstate, error.failure.reason
            )
            decided = error.decided.places if isinstance(error, PartlyWrittenError) else []
            sqlstate, now = error.failure.sqlstate, time.time()
            self._flusher.failed(batch, str(error), sqlstate, now, decided=decided)
            self._written([batch.submissions[place] for place in decided])
            self._gives_up = self._is_stopping
            return
        self._flusher.wrote(batch, time.time(), all_refused=BatchResult.of(answers).all_refused)
        self._written(batch.submissions)

    def _written(self, submissions: Sequence[Submission]) -> None:
        """Have the messages acked that wait for no other submissions.

        What the flusher has forgotten is taken out here at once: it may come in another message.
        """
        if messages := self._held.written(submissions):
            # In a task of its own, so that the next write need not wait for the queue.
            self._tasks.add(asyncio.create_task(self._ack(messages)))

    async def _ack(self, messages: Sequence[Message]) -> None:
        if await self._patiently(lambda: self._source.ack(messages)):
            self._held.forget(messages)

    async def _keep_alive(self) -> None:
        while not self._has_stopped:
            await asyncio.sleep(self._source.keep_alive_seconds)
            await self._patiently(self._source.keep_alive)

    async def _patiently(self, call: Callable[[], Awaitable[None]]) -> bool:
        """Call until the queue answers; return False if it does not and the consumer stops."""
        while True:
            try:
                await call()
            except QueueAwayError as error:
                self._outage.met(error)
                if self._is_stopping:
                    return False
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return True
