"""Report in one line a minute that a server is away."""

import logging
import math
import time

LOGGED_EVERY_SECONDS = 60.0
PAUSE_SECONDS = 1.0
"""Between two attempts at a server that is away."""
logger = logging.getLogger(__name__)


class Outage:
    """Whether a server is away, and when that was logged last.

    Args:
        name: Of the server, for people.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._logged_at = -math.inf
        self._is_logged = False

    def met(self, error: Exception) -> None:
        """Log the failure of a call, unless another one was logged less than a minute ago."""
        now = time.monotonic()
        if now - self._logged_at >= LOGGED_EVERY_SECONDS:
            logger.warning("%s; trying again every %.0f s", error, PAUSE_SECONDS)
            self._logged_at, self._is_logged = now, True

    def over(self) -> None:
        """Log that the server answers again, if it was logged that it did not."""
        if self._is_logged:
            logger.info("%s answers again", self._name)
            self._is_logged = False
