"""What a consumer needs of a queue, whichever server has it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from batching_demo.batcher_service.queues.status import QueueStatus

DELIVERIES_TOGETHER = 2
"""So often a message is delivered and written with others. One that comes again had no verdict
twice, so it may be what ended its consumers: it is a suspect, and written alone."""


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery of a message."""

    queue: str
    """The name of its queue."""
    id: str
    """What tells it from all others of its queue. Every delivery has the same id."""
    body: bytes
    deliveries: int = 1
    """How often it has been delivered, this time included."""
    problem: str = ""
    """Why its body is no record: a reason, a colon and a detail. Empty if nothing is known."""

    @property
    def identity(self) -> str:
        """What tells it from the messages of all queues."""
        return f"{self.queue}/{self.id}"


class Source(Protocol):
    """One consumer's connection to a queue.

    It knows which messages it has delivered and nobody has acked since: the consumer *holds* them.
    A message that it holds is not delivered to the same consumer again.

    Every method may raise a `QueueAwayError`, after which it may be called again, or a
    `QueueError`, which ends the consumer.
    """

    @property
    def queue(self) -> str:
        """The name of the queue. It is part of every identity."""

    @property
    def place(self) -> str:
        """Where the queue is, for people. It holds no secrets."""

    @property
    def keep_alive_seconds(self) -> float:
        """How often `keep_alive` has to be called."""

    @property
    def has_suspects(self) -> bool:
        """Whether a suspect waits. `receive` may return nothing until it has been received."""

    @property
    def claimed(self) -> int:
        """How many messages it has taken over from other consumers so far."""

    async def receive(self, at_most: int) -> Sequence[Message]:
        """Return messages that were delivered `DELIVERIES_TOGETHER` times at most.

        It waits for them for a few seconds. It is never cancelled, since messages would be lost on
        the way until another consumer gets them.

        Args:
            at_most: The room of the consumer.
        """

    async def receive_suspect(self) -> Message | None:
        """Return one suspect; None if another consumer has it. It waits for nothing.

        It is called only while the consumer holds nothing else. So if the suspect ends its
        consumer, the deliveries of no other message rise.
        """

    async def ack(self, messages: Sequence[Message]) -> None:
        """Remove messages that have a verdict from the queue, or mark them as done."""

    async def keep_alive(self) -> None:
        """Keep all held messages from being delivered to others. It counts as no delivery."""

    async def status(self) -> QueueStatus:
        """Return what is on the queue."""

    async def give_up(self, *, at_once: bool = True) -> None:
        """Let others have the held messages: this consumer ends without writing them.

        If the queue can do that, it counts no delivery.

        Args:
            at_once: Whether they have them at once, or only after as long as if it had died.
        """

    async def close(self) -> None:
        """Close the connections."""
