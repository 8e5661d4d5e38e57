"""What may go wrong with a queue."""

from batching_demo.contracts.errors import UserError


class QueueError(UserError):
    """The queue refuses what was asked; the message names the place, and what to do."""


class QueueUnusableError(QueueError):
    """Such a queue never works: another address is needed, or another server."""


class QueueAwayError(QueueError):
    """The server of the queue does not answer, or not yet. The same may be asked again."""


class QueueFullError(QueueAwayError):
    """The server of the queue has no memory left for what was sent."""
