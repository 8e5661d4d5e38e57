"""Time calls on one connection in rounds, so that they share what else the machine does."""

import random
import time
from collections.abc import Awaitable, Callable, Iterable

Times = dict[tuple[str, int], list[float]]
"""Seconds, by what was called and the number of rows."""
Call = Callable[[], Awaitable[object]]
Prepare = Callable[[str, int], Awaitable[Call]]
"""Makes the rows for a call, and returns the call."""


async def timed(names: Iterable[str], sizes: Iterable[int], rounds: int, prepare: Prepare) -> Times:
    """Time what has each name with each size once a round, in random order.

    A round before the first one warms up.
    """
    sizes = tuple(sizes)
    times: Times = {(name, size): [] for name in names for size in sizes}
    for number in range(rounds + 1):
        for name, size in random.sample(list(times), len(times)):
            call = await prepare(name, size)
            began = time.perf_counter()
            await call()
            if number:
                times[name, size].append(time.perf_counter() - began)
    return times
