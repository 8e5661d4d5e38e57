"""Wait for what happens in its own time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
LONG_SECONDS = 120.0
"""Only ends a test that has failed already: it is no claim about speed."""

GROWTH, LONGEST_PAUSE_SECONDS = 1.2, 0.5


async def eventually(
    check: Callable[[], Awaitable[T]], *, within: float = LONG_SECONDS, every: float = 0.05
) -> T:
    """Call `check` until its assertions hold, ever less often, and return what it returns."""
    deadline = time.monotonic() + within
    while True:
        try:
            return await check()
        except AssertionError:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(every)
        every = min(every * GROWTH, max(every, LONGEST_PAUSE_SECONDS))


async def in_time(ending: Awaitable[T]) -> T:
    """Wait for something that ends by itself."""
    return await asyncio.wait_for(ending, LONG_SECONDS)
