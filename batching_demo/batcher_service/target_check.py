"""Check, while a batcher worker starts, that its targets work."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.plugin import SimplePlugin
from temporalio.worker import Worker

from batching_demo.database.errors import DatabaseFailedError
from batching_demo.database.targets.registry import Targets

RETRY_SECONDS = 5.0
logger = logging.getLogger(__name__)


class TargetsPlugin(SimplePlugin):
    """Ends a worker if one of its targets cannot work. Otherwise it would fail batches for ever.

    Args:
        engine: Of the database.
        targets: The tables that records go to.
    """

    def __init__(self, engine: AsyncEngine, targets: Targets) -> None:
        super().__init__("batching_demo targets")
        self._engine = engine
        self._targets = targets

    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:
        """Run the worker. It polls while the database does not answer, as without this plugin.

        Raises:
            TargetError: A target cannot work.
        """
        running = asyncio.ensure_future(next(worker))
        checking = asyncio.create_task(self._check())
        try:
            await asyncio.wait((running, checking), return_when=asyncio.FIRST_COMPLETED)
            if checking.done():
                checking.result()
            await running
        finally:
            # Waited for, so that no connection is open when the engine is disposed of.
            for task in (checking, running):
                task.cancel()
            await asyncio.wait((checking, running))

    async def _check(self) -> None:
        """Check all targets as soon as the database answers."""
        while True:
            try:
                checked = await self._targets.reflect_all(self._engine)
            except DatabaseFailedError as error:
                logger.warning("cannot check the targets yet: %s", error)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                break
        for one in checked:
            for warning in one.warnings:
                logger.warning("target %s: %s", one.declaration.name, warning)
