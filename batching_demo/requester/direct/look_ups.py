"""Look something up for many callers at once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class LookUps(Generic[T]):
    """Shares look-ups. Each caller gets what a look-up found that began after its call.

    So nothing that a caller gets is older than its call, and of many callers those that wait for
    the same look-up cost no more than one.

    Args:
        look_up: Looks it up.
    """

    def __init__(self, look_up: Callable[[], Awaitable[T]]) -> None:
        self._look_up = look_up
        self._running: asyncio.Task[T] | None = None
        self._next: asyncio.Task[T] | None = None

    async def look_up(self) -> T:
        """Return what is found now.

        Raises:
            Exception: What the look-up raised.
        """
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._running))
        # Shielded: others wait for the same look-up.
        return await asyncio.shield(self._next)

    async def _after(self, running: "asyncio.Task[T] | None") -> T:
        if running:
            await asyncio.wait([running])
        self._running, self._next = self._next, None
        return await self._look_up()
