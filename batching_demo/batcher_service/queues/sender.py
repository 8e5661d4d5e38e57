"""What a sender needs of a queue, whichever server has it."""

from collections.abc import Sequence
from typing import Protocol


class Sender(Protocol):
    """A connection that puts messages on a queue.

    Every method may raise a `QueueError`.
    """

    async def send(self, bodies: Sequence[bytes]) -> None:
        """Send messages. If it fails, nobody knows which of them are on the queue."""

    async def close(self) -> None:
        """Close the connections."""
