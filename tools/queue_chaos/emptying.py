"""Wait until a queue is empty."""

import asyncio
from collections.abc import Awaitable, Callable

from batching_demo.batcher_service.queues.status import QueueStatus
from batching_demo.queue_servers.errors import QueueAwayError
from tools.queue_chaos.consumers import Consumers

LOOK_SECONDS = 0.5
LONGEST_HEALING_SECONDS = 600.0


async def wait_until_empty(
    look: Callable[[], Awaitable[QueueStatus]], consumers: Consumers
) -> QueueStatus:
    """Return what is on a queue once that is nothing, or once it takes too long."""
    deadline = asyncio.get_running_loop().time() + LONGEST_HEALING_SECONDS
    while True:
        consumers.supervise()
        try:
            found = await look()
        except QueueAwayError:
            continue
        if found.length == found.pending == 0 or asyncio.get_running_loop().time() > deadline:
            return found
        await asyncio.sleep(LOOK_SECONDS)
