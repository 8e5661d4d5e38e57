"""Send the statements of one write on one connection, and make sure that they are durable."""

from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

import asyncpg
from sqlalchemy import Connection, CursorResult, Executable, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from batching_demo.database.batch_log.log import LoggedWrite
from batching_demo.database.dead_letters.storing import DeadLetter, insert_dead_letters
from batching_demo.database.errors import (
    DatabaseFailedError,
    Failure,
    FailureKind,
    RaisedAsWarningError,
    sqlstate_of,
)

WARNINGS = "batching_demo_warnings"
# It assigns a transaction id and writes WAL, so its commit waits for the standbys as an INSERT's.
COMMIT_SOMETHING = text("SELECT pg_logical_emit_message(true, 'batching-demo', '')")
STANDBYS_ARE_AWAITED = "current_setting('synchronous_standby_names') <> ''"
"""SQL that is true if commits wait for standbys."""
NOT_ON_STANDBY = Failure(
    FailureKind.OUTAGE,
    "the wait of a commit for a standby was cancelled: start the standbys that"
    " synchronous_standby_names asks for, or change that setting",
)
Result = CursorResult[*tuple[Any, ...]]
Parameters = Mapping[str, object] | tuple[object, ...]


class Sender:
    """Sends the statements of one write.

    Args:
        connection: Commits every statement by itself.
        log: Has the entries of the write in the log of batches; None writes no log.
    """

    def __init__(self, connection: AsyncConnection, log: LoggedWrite | None = None) -> None:
        self.log = log
        self._connection = connection
        self._warnings = _warnings_of(connection)
        self._is_unsure = False
        """Whether something that was looked up or written may not have reached the standbys."""

    async def send(self, statement: Executable | str, parameters: Parameters) -> Result:
        """Send a statement.

        Args:
            statement: One of SQLAlchemy, or the text of SQL for the driver.
            parameters: By name; of a text in their order.

        Raises:
            SQLAlchemyError: It failed.
        """
        self._warnings.came = False
        try:
            if isinstance(statement, str):
                assert isinstance(parameters, tuple)
                result = await self._connection.exec_driver_sql(statement, parameters)
            else:
                assert isinstance(parameters, Mapping)
                result = await self._connection.execute(statement, parameters)
        except asyncpg.PostgresWarning as warning:
            # asyncpg raises it so; SQLAlchemy and contextlib cannot handle it.
            raise RaisedAsWarningError(warning) from None
        # If a wait for a standby is cancelled, the server warns, and reports success.
        self._is_unsure |= self._warnings.came
        return result

    def committed(self) -> None:
        """Note that the last statement wrote WAL, and that its commit has returned."""
        self._is_unsure = self._warnings.came

    def found_while_standbys_are_awaited(self) -> None:
        """Note that a row was found which is visible, while its commit may wait for a standby."""
        self._is_unsure = True

    async def would_store(self, statement: Executable | str, parameters: Parameters) -> bool:
        """Return whether a statement that is rolled back returns a row.

        Raises:
            SQLAlchemyError: Postgres does not answer.
        """
        await self._connection.rollback()
        await self._connection.execution_options(isolation_level="READ COMMITTED")
        try:
            await self.send(text("SET CONSTRAINTS ALL IMMEDIATE"), {})
            return (await self.send(statement, parameters)).first() is not None
        except SQLAlchemyError as error:
            if sqlstate_of(error) is None:
                raise
            return False
        finally:
            await self._connection.rollback()
            await self._connection.execution_options(isolation_level="AUTOCOMMIT")

    async def insert_dead_letters(
        self, letters: Sequence[DeadLetter], batch_id: UUID | None
    ) -> None:
        """Insert dead letters, if there are any."""
        if letters:
            self._warnings.came = False
            try:
                await insert_dead_letters(self._connection, letters, batch_id)
            except asyncpg.PostgresWarning as warning:
                raise RaisedAsWarningError(warning) from None
            self.committed()

    async def make_sure(self) -> None:
        """Return once all that was looked up is committed as the settings of the server ask.

        A row is visible as soon as the wait of its commit for a standby is cancelled. A later
        commit of ours, for which nobody cancels the wait, means that the standby has the row too.

        Raises:
            DatabaseFailedError: The wait for a standby was cancelled.
        """
        if self._is_unsure:
            await self.send(COMMIT_SOMETHING, {})
            self.committed()
        if self._is_unsure:
            raise DatabaseFailedError(NOT_ON_STANDBY)


class _Warnings:
    """Whether a warning has come on a connection since the flag was cleared."""

    came = False

    def __call__(self, _connection: object, message: asyncpg.PostgresLogMessage) -> None:
        self.came |= message.severity_en == "WARNING"


def _warnings_of(connection: AsyncConnection) -> _Warnings:
    """Return what listens to the warnings on a connection. There is one for all its writes."""
    checked_out = cast(Connection, connection.sync_connection)
    warnings: _Warnings | None = checked_out.info.get(WARNINGS)
    if warnings is None:
        warnings = checked_out.info[WARNINGS] = _Warnings()
        driver = cast("asyncpg.Connection[Any]", checked_out.connection.driver_connection)
        driver.add_log_listener(warnings)
    return warnings
