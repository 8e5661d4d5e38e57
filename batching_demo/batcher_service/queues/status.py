"""What is on a queue, for `intake status` and for metrics."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ConsumerStatus:
    """One consumer of a queue."""

    name: str
    pending: int
    """Messages that it was given, and that have no verdict yet."""
    idle_seconds: float
    """Since it last asked the queue for something."""


@dataclass(frozen=True)
class QueueStatus:
    """What is on a queue. A value is None if the queue does not know it."""

    length: int
    """Messages on the queue, those that are pending included."""
    pending: int
    """Messages that a consumer was given, and that have no verdict yet."""
    oldest_seconds: float | None
    """How long ago the oldest message without a verdict was sent; 0 if there is none."""
    redelivered: int | None
    """Pending messages that were delivered more than once."""
    consumers: Sequence[ConsumerStatus] | None
