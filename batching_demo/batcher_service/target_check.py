"""Check, while a batcher worker starts, that the statements of its target work."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from uuid import UUID

from sqlalchemy import CHAR
from sqlalchemy.dialects.postgresql import CITEXT
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.types import TypeEngine
from temporalio.plugin import SimplePlugin
from temporalio.worker import Worker

from batching_demo.contracts.errors import UserError
from batching_demo.contracts.names import WritePath
from batching_demo.database.errors import (
    DatabaseFailedError,
    FailureKind,
    classify,
    database_errors,
)
from batching_demo.database.writing.rows import BatchInfo
from batching_demo.database.writing.target import Target

MENDED_MEANWHILE = ("42P01", "42501", "3D000", "3F000", "28000", "28P01")
"""Nothing is wrong with the target: a table, a privilege, a schema or a login is missing yet."""
NO_BATCH = BatchInfo(UUID(int=0), WritePath.UNBATCHED)
COMPARED_OTHERWISE: dict[str, type[TypeEngine[str]]] = {"citext": CITEXT, "character": CHAR}
"""Types of keys for which Postgres compares otherwise than for text, as SQLAlchemy names them."""
RETRY_SECONDS = 5.0
logger = logging.getLogger(__name__)


class TargetError(UserError):
    """The database cannot do what a target says. The message is one line.

    Args:
        table: The name of the table of the target.
        problem: What does not fit, and what to do.
    """

    def __init__(self, table: str, problem: str) -> None:
        super().__init__(f"table {table} does not fit its Target: {problem}")


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
            # Waited for, so that no connection is open when the engine is disposed of.
            for task in (checking, running):
                task.cancel()
            await asyncio.wait((checking, running))

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


async def check_target(engine: AsyncEngine, target: Target) -> None:
    """Run the statements of a target, without any row.

    Raises:
        TargetError: One of them cannot work.
        DatabaseFailedError: Postgres does not answer, or lacks what may come while a worker runs.
    """
    name = target.table.name
    with database_errors():
        async with engine.connect() as connection:
            try:
                await connection.execute(target.insert_rows, target.nothing(NO_BATCH))
                await connection.execute(target.select_stored, {"keys": []})
                found = await connection.scalar(target.select_key_type)
            except DBAPIError as error:
                failure = classify(error)
                if failure.kind is FailureKind.OUTAGE or failure.sqlstate in MENDED_MEANWHILE:
                    raise
                message = getattr(error.driver_exception, "message", "") or failure.condition
                raise TargetError(
                    name,
                    f"{message} (SQLSTATE {failure.sqlstate}): change the table or the Target",
                ) from None
    expected = COMPARED_OTHERWISE.get(found or "")
    if expected and not isinstance(target.table.c[target.key].type, expected):
        raise TargetError(
            name,
            f"column {target.key} is {found} in the database: declare it as {expected.__name__},"
            " since Postgres does not compare it as text",
        )
