"""Check the target of a batcher worker while it starts."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.plugin import SimplePlugin
from temporalio.worker import Worker

from batching_demo.database.errors import DatabaseFailedError
from batching_demo.database.target import Target
from batching_demo.database.target_check import check_target

RETRY_SECONDS = 5.0
logger = logging.getLogger(__name__)


class TargetPlugin(SimplePlugin):
    """Ends a worker whose target cannot work. Otherwise it would fail one batch for ever.

    Args:
        engine: Of the database.
        target: The table that records go to.
    """

    def __init__(self, engine: AsyncEngine, target: Target) -> None:
        super().__init__("batching_demo target")
        self._engine = engine
        self._target = target

    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:
        """Run the worker. It polls while the database does not answer, as without this plugin.

        Raises:
            TargetError: The target cannot work.
        """
        running = asyncio.ensure_future(next(worker))
        checking = asyncio.create_task(self._check())
        try:
            await asyncio.wait((running, checking), return_when=asyncio.FIRST_COMPLETED)
            if checking.done():
                checking.result()
            await running
        finally:
            checking.cancel()
            if not running.done():
                running.cancel()
                await asyncio.wait([running])

    async def _check(self) -> None:
        """Check the target as soon as the database answers."""
        while True:
            try:
                await check_target(self._engine, self._target)
            except DatabaseFailedError as error:
                logger.warning("cannot check table %s yet: %s", self._target.table.name, error)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return
