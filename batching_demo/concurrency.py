"""Run something beside other work, or for many things, some at a time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@asynccontextmanager
async def in_background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Do something meanwhile. In the end it is cancelled, and waited for until it has ended."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def map_some_at_once(
    function: Callable[[Item], Awaitable[Result]], items: Iterable[Item], *, at_once: int
) -> list[Result]:
    """Return what a function returns for each item, in their order.

    Args:
        function: Takes one item.
        items: Any number.
        at_once: Calls at a time, at most.
    """
    turn = asyncio.Semaphore(at_once)

    async def call(item: Item) -> Result:
        async with turn:
            return await function(item)

    return await asyncio.gather(*map(call, items))
