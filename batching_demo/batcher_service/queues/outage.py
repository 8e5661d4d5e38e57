"""Report in one line a minute that a queue is away."""

import logging
import time

LOGGED_EVERY_SECONDS = 60.0
PAUSE_SECONDS = 1.0
"""Between two attempts at a queue that is away."""
logger = logging.getLogger(__name__)


class QueueOutage:
    """Whether a queue is away, and when that was logged last."""

    def __init__(self, queue: str) -> None:
        self._queue = queue
        self._logged_at: float | None = None

    def met(self, error: Exception) -> None:
        """Log the failure of a call, unless another one was logged less than a minute ago."""
        now = time.monotonic()
        if self._logged_at is None or now - self._logged_at >= LOGGED_EVERY_SECONDS:
            logger.warning("%s; trying again every %.0f s", error, PAUSE_SECONDS)
            self._logged_at = now

    def over(self) -> None:
        """Log that the queue answers again, if it was away."""
        if self._logged_at is not None:
            logger.info("queue %s answers again", self._queue)
            self._logged_at = None
