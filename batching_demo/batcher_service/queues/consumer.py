"""Hold the messages of a queue until a batch of them is due, write them, and ack them.

The queue keeps a message until it is acked. If the consumer dies, the queue delivers the message to
another one, and the verdict stays the same, since it depends on the table and the record alone.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import uuid4

from batching_demo.batcher_service.coalescer import Write
from batching_demo.batcher_service.queues.acking import Acks
from batching_demo.batcher_service.queues.holding import Holding
from batching_demo.batcher_service.queues.outage import Outage
from batching_demo.batcher_service.queues.receiving import Probe, Read, Receiver
from batching_demo.batcher_service.queues.source import Source
from batching_demo.batcher_service.queues.turns import SuspectTurns
from batching_demo.batcher_service.written import PartlyWrittenError
from batching_demo.contracts.batches import BatchResult
from batching_demo.contracts.messages import Submission
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.core.flusher import Batch, Flusher
from batching_demo.database.errors import DatabaseFailedError
from batching_demo.queue_servers.errors import QueueError

logger = logging.getLogger(__name__)


class Consumer:
    """Consumes a queue. Its batches are flushed by the same policy as in a batcher.

    Args:
        source: The queue.
        settings: When a batch is due.
        read: Turns messages into submissions.
        write: Writes a batch.
        probe: Tries the database.
        max_deliveries: At this delivery a message becomes a dead letter, and is not written.
        shard: The shard that the batches are counted for; None if they are of none.
        turns: Those of the process; by default it has no other consumers.
        outage: Of the server of the queue; by default it is of this queue alone.
    """

    def __init__(
        self,
        source: Source,
        settings: BatcherSettings,
        read: Read,
        write: Write,
        probe: Probe,
        *,
        max_deliveries: int,
        shard: int | None = None,
        turns: SuspectTurns | None = None,
        outage: Outage | None = None,
    ) -> None:
        self._source = source
        self._write_batch = write
        self._flusher = Flusher(settings, shard)
        self._held = Holding()
        outage = outage or Outage(f"queue {source.queue}")
        self._acks = Acks(source, self._held, outage)
        self._receiver = Receiver(
            source,
            self._flusher,
            self._held,
            read,
            probe,
            max_deliveries=max_deliveries,
            turns=turns or SuspectTurns(),
            outage=outage,
        )
        self._receiving: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        """The writes and acks that run."""
        self._is_stopping = self._gives_up = False

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop` is set, then write and ack what is held.

        If the database or the queue is away by then, what is held stays in the queue.

        Raises:
            QueueError: The queue refuses what is asked.
        """
        stopped = asyncio.create_task(stop.wait())
        keeping = asyncio.create_task(self._acks.keep_alive())
        try:
            while True:
                if stop.is_set() and not self._is_stopping:
                    self._begin_to_stop()
                if self._has_ended:
                    break
                await self._step([keeping] if stop.is_set() else [keeping, stopped])
            if len(self._held):
                await self._give_up(at_once=True)
        except QueueError:
            # What the queue refuses is no reason to suspect a message. The next consumer may meet
            # the same, so there is no hurry.
            await self._give_up(at_once=False)
            raise
        finally:
            # redis-py may swallow a cancellation, so nothing may go on for ever after one.
            self._is_stopping = self._acks.is_stopping = self._acks.has_stopped = True
            tasks = [stopped, keeping, *self._running]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._receiver.end()

    async def _give_up(self, *, at_once: bool) -> None:
        """Let others have what is held, if the queue takes that now."""
        with suppress(QueueError):
            await self._source.give_up(at_once=at_once)

    @property
    def _running(self) -> list[asyncio.Task[None]]:
        return [*self._tasks, *([self._receiving] if self._receiving else [])]

    @property
    def _has_ended(self) -> bool:
        is_done = self._gives_up or self._flusher.is_idle
        return self._is_stopping and is_done and not self._running

    def _begin_to_stop(self) -> None:
        self._is_stopping = self._acks.is_stopping = True
        self._flusher.control.drain(time.time())
        # It cannot wait until a failing database is tried again.
        self._flusher.health.retry_now()

    async def _step(self, others: Sequence[asyncio.Task[Any]]) -> None:
        """Start what is due, and wait until something has ended or is due."""
        now = time.time()
        if not self._gives_up:
            self._start_writes(now)
        may_receive = self._receiving is None and not self._is_stopping
        if may_receive and (call := self._receiver.next_call(now)):
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
        paused_until = self._receiver.paused_until
        times = [paused_until] if paused_until > now else []
        if not self._gives_up and (wake_at := self._flusher.wake_at(now)) is not None:
            times.append(wake_at)
        return max(0.0, min(times) - now) if times else None

    def _start_writes(self, now: float) -> None:
        while reason := self._flusher.due(now):
            batch = self._flusher.take(str(uuid4()), reason, now)
            self._tasks.add(asyncio.create_task(self._write(batch)))

    async def _write(self, batch: Batch) -> None:
        """Write a batch, and ack the messages that are complete with it.

        Any other error than one of the database ends the consumer. So a message that causes it
        comes again, and alone in the end.
        """
        try:
            answers = await self._write_batch(batch.header, batch.submissions)
        except DatabaseFailedError as error:
            self._failed(batch, error)
            return
        self._receiver.database_takes()
        self._flusher.wrote(batch, time.time(), all_refused=BatchResult.of(answers).all_refused)
        self._written(batch.submissions)

    def _failed(self, batch: Batch, error: DatabaseFailedError) -> None:
        sqlstate = error.failure.sqlstate
        logger.warning("database failed (SQLSTATE %s): %s", sqlstate, error.failure.reason)
        self._receiver.database_failed()
        decided = error.decided.places if isinstance(error, PartlyWrittenError) else []
        self._flusher.failed(batch, str(error), sqlstate, time.time(), decided=decided)
        self._written([batch.submissions[place] for place in decided])
        self._gives_up = self._is_stopping

    def _written(self, submissions: Sequence[Submission]) -> None:
        """Have the messages acked that wait for no other submissions.

        What the flusher has forgotten is taken out here at once: it may come in another message.
        """
        if messages := self._held.written(submissions):
            # In a task of its own, so that the next write need not wait for the queue.
            self._tasks.add(asyncio.create_task(self._acks.ack(messages)))
