"""Receive messages when there is room for them, and when the database takes their records."""

import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

from batching_demo.batcher_service.queues.holding import Holding
from batching_demo.batcher_service.queues.outage import PAUSE_SECONDS, Outage
from batching_demo.batcher_service.queues.source import DELIVERIES_TOGETHER, Message, Source
from batching_demo.batcher_service.queues.turns import SuspectTurns
from batching_demo.contracts.messages import Submission
from batching_demo.core.admission import LARGEST_BUFFER_BYTES
from batching_demo.core.flusher import Flusher
from batching_demo.database.errors import DatabaseFailedError
from batching_demo.queue_servers.errors import QueueAwayError

DELIVERED_TOO_OFTEN = "delivered_too_often"
"""The reason of a message that has been delivered often, and never had a verdict."""
LEAST_MAX_DELIVERIES = DELIVERIES_TOGETHER + 2
"""So each message is written alone at least once before it is given up."""
DEFAULT_MAX_DELIVERIES = 5
FIRST_GUESS_BYTES = 1024
"""The size of a message before the first one."""
TRUSTED_SECONDS = 15.0
"""How long the database is trusted to take records after it has taken some, or was probed."""
Read = Callable[[Message, float], Sequence[Submission]]
"""Returns the submissions of a message that came at a time. It refuses none: what is no submission
becomes one that is rejected. The same message always has the same submission ids."""
Probe = Callable[[], Awaitable[None]]
"""Returns if the database would take records, and raises a `DatabaseFailedError` otherwise, also if
the database is silent."""


class Receiver:
    """Receives the messages of one consumer, and has their submissions buffered.

    Nothing is received before the database has been seen to take records: a queue may count each
    delivery, and give a message up that was delivered in vain too often.

    Args:
        source: The queue.
        flusher: Has the buffer.
        held: Gets what is received.
        read: Turns messages into submissions.
        probe: Tries the database.
        max_deliveries: At this delivery a message becomes a dead letter, and is not written.
        turns: Those of the process.
        outage: Of the queue.
    """

    def __init__(
        self,
        source: Source,
        flusher: Flusher,
        held: Holding,
        read: Read,
        probe: Probe,
        *,
        max_deliveries: int,
        turns: SuspectTurns,
        outage: Outage,
    ) -> None:
        self._source = source
        self._flusher = flusher
        self._held = held
        self._read = read
        self._probe_database = probe
        self._max_deliveries = max_deliveries
        self._turns = turns
        self._has_turn = False
        self._outage = outage
        self._database_outage = Outage("the database")
        self._trusted_until = 0.0
        self._message_bytes = FIRST_GUESS_BYTES
        self.paused_until = 0.0
        """In seconds since the epoch: when to call again after a server was away."""

    def next_call(self, now: float) -> Coroutine[Any, Any, None] | None:
        """Return the call that is made next; None if nothing should be received now."""
        if self._has_turn and not len(self._held):
            self._has_turn = False
            self._turns.give_back()
        if now < self.paused_until or self._has_to_wait:
            return None
        if now >= self._trusted_until:
            return self._probe()
        if self._source.has_suspects or self._turns.are_wanted:
            return self._next_of_suspects(now)
        if not (room := self._room()):
            return None
        self._turns.begin(self)
        return self._receive(room)

    def database_takes(self) -> None:
        """Note that the database has taken records."""
        self._trusted_until = time.time() + TRUSTED_SECONDS

    def database_failed(self) -> None:
        """Note that it has not."""
        self._trusted_until = 0.0

    def end(self) -> None:
        """Let the other consumers of the process go on: this one holds nothing any more."""
        self._turns.end(self)
        if self._has_turn:
            self._has_turn = False
            self._turns.give_back()

    @property
    def _has_to_wait(self) -> bool:
        """Whether the database has to take what is held first."""
        return self._flusher.health.is_failing and not self._flusher.is_idle

    def _next_of_suspects(self, now: float) -> Coroutine[Any, Any, None] | None:
        """Return the call that receives a suspect, or lets another consumer do it first."""
        if len(self._held):
            self._flusher.control.flush(now)
            return None
        self._turns.end(self)
        return self._receive_suspect() if self._source.has_suspects else self._turns.pass_by()

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

    async def _probe(self) -> None:
        try:
            await self._probe_database()
        except DatabaseFailedError as error:
            self._is_away(self._database_outage, error)
        else:
            self._database_outage.over()
            self.database_takes()

    async def _receive(self, room: int) -> None:
        try:
            messages = await self._source.receive(room)
        except QueueAwayError as error:
            self._is_away(self._outage, error)
        else:
            self._outage.over()
            self._take_in(messages)

    async def _receive_suspect(self) -> None:
        await self._turns.take()
        self._has_turn = True
        try:
            suspect = await self._source.receive_suspect()
        except QueueAwayError as error:
            self._is_away(self._outage, error)
        else:
            self._take_in([suspect] if suspect else [])
            # Nothing will join it, so it need not linger.
            self._flusher.control.flush(time.time())

    def _is_away(self, outage: Outage, error: Exception) -> None:
        outage.met(error)
        self.paused_until = time.time() + PAUSE_SECONDS

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
