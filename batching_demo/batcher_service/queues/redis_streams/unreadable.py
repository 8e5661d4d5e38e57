"""Leave the entries that this worker cannot decrypt to others."""

import logging
import math
import time
from collections.abc import Mapping
from contextlib import suppress

from batching_demo.batcher_service.queues.outage import LOGGED_EVERY_SECONDS
from batching_demo.batcher_service.queues.redis_streams.claiming import give_back
from batching_demo.batcher_service.queues.redis_streams.membership import Membership
from batching_demo.contracts.counts import count
from batching_demo.queue_servers.errors import QueueError

MOST = 100
"""With so many, nothing new is received: all others may be as unreadable."""
logger = logging.getLogger(__name__)


class Unreadable:
    """The entries that this consumer has given back, since it lacks their key.

    A worker that has it claims them at once, and counts no delivery of this one.

    Args:
        member: Of the group.
    """

    def __init__(self, member: Membership) -> None:
        self._member = member
        self._ids: set[str] = set()
        self._reason = ""
        self._logged_at = -math.inf

    @property
    def are_many(self) -> bool:
        """Whether nothing new should be received."""
        return len(self._ids) >= MOST

    async def leave(self, deliveries: Mapping[str, int], reason: str) -> None:
        """Give entries back.

        Args:
            deliveries: How often each has been delivered, this time included, by id.
            reason: Why they cannot be read, and what to do.
        """
        self._ids |= deliveries.keys()
        self._reason = reason
        # If the server is away, others claim them later.
        with suppress(QueueError), self._member.errors():
            await give_back(self._member, deliveries)

    def pass_over(self, *claimable: dict[str, int]) -> None:
        """Take the entries out of those that may be claimed. Forget the ones that are not there."""
        self._ids &= {one for part in claimable for one in part}
        for part in claimable:
            for one in self._ids & part.keys():
                del part[one]

    def report(self) -> None:
        """Log once a minute that there are some."""
        now = time.monotonic()
        if self._ids and now - self._logged_at >= LOGGED_EVERY_SECONDS:
            self._logged_at = now
            messages = count(len(self._ids), "message")
            logger.error("%s: %s left to others: %s", self._member.address, messages, self._reason)
