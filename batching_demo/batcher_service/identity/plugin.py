"""Keep a worker from starting with a database that is not that of its namespace."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from temporalio.plugin import SimplePlugin
from temporalio.service import RPCError
from temporalio.worker import Worker

from batching_demo.batcher_service.identity.guard import IdentityGuard, OtherDatabaseError
from batching_demo.database.errors import DatabaseFailedError

LONGEST_PAUSE_SECONDS = 15.0
logger = logging.getLogger(__name__)


class OneDatabasePlugin(SimplePlugin):
    """Has a worker look at its database before it polls.

    A database that does not answer yet keeps no worker from starting: its batchers take submissions
    meanwhile.

    Args:
        guard: Of the worker.
    """

    def __init__(self, guard: IdentityGuard) -> None:
        super().__init__("batching_demo.one_database")
        self._guard = guard

    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:
        """Run a worker.

        Raises:
            OtherDatabaseError: The namespace is for another database.
            MemoUnreadableError: Nobody knows which it is for.
        """
        looking = None
        try:
            await self._guard.look_again()
        except Exception as error:
            if not _may_pass(error):
                # A worker that has never run does not shut down: `async with` would wait for ever.
                shutdown = asyncio.create_task(worker.shutdown())
                await next(worker)
                await shutdown
                raise
            looking = asyncio.create_task(self._look_until_known(error))
        try:
            await next(worker)
        finally:
            if looking:
                looking.cancel()
                await asyncio.gather(looking, return_exceptions=True)

    async def _look_until_known(self, error: Exception) -> None:
        """Look until it succeeds, so that the namespace learns its database without a write."""
        pause = 1.0
        while True:
            logger.warning(
                "the database is not known yet: %s; trying again in %.0f s", error, pause
            )
            await asyncio.sleep(pause)
            try:
                await self._guard.look()
                return
            except (DatabaseFailedError, RPCError) as another:
                error = another
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def _may_pass(error: Exception) -> bool:
    """Return whether the database may be known later without anybody who changes something."""
    if isinstance(error, OtherDatabaseError):
        return False
    return isinstance(error, DatabaseFailedError | RPCError)
