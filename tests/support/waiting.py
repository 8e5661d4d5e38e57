"""Wait for what happens in its own time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(
    check: Callable[[], Awaitable[T]], *, within: float = 60.0, every: float = 0.05
) -> T:
    """Call `check` until its assertions hold, and return what it returns.

    `within` only ends a test that has failed: it is no claim about speed.
    """
    deadline = time.monotonic() + within
    while True:
        try:
            return await check()
        except AssertionError:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(every)
