"""The statements of one write. All of them are sent from here, on one connection."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy import Connection, CursorResult, Executable, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert

from batching_demo.contracts.names import WritePath
from batching_demo.database.batch_log.entries import with_entry
from batching_demo.database.batch_log.log import LoggedWrite
from batching_demo.database.dead_letters.storing import DeadLetter, insert_dead_letters
from batching_demo.database.errors import (
    DatabaseFailedError,
    Failure,
    FailureKind,
    RaisedAsWarningError,
    sqlstate_of,
)
from batching_demo.database.writing.rows import BatchInfo, Rows
from batching_demo.database.writing.target import LookUp, Target

Stored = tuple[bytes, str, int]
"""Content hash, submission id and position of a stored row."""
WARNINGS = "batching_demo_warnings"
# It assigns a transaction id and writes WAL, so its commit waits for the standbys as an INSERT's.
COMMIT_SOMETHING = text("SELECT pg_logical_emit_message(true, 'batching-demo', '')")
NOT_ON_STANDBY = Failure(
    FailureKind.OUTAGE,
    "the wait of a commit for a standby was cancelled: start the standbys that"
    " synchronous_standby_names asks for, or change that setting",
)
Prepare = Callable[[Sequence[int]], tuple[ReturningInsert[str], Mapping[str, object]]]
"""Returns the INSERT of some rows, and its parameters."""


class Statements:
    """Sends the statements of one write.

    Args:
        connection: Commits every statement by itself.
        target: The table that rows go to.
        batch: What all rows have in common.
        prepare: Returns the INSERT of some rows.
        logged: Has the parameters of its entry in the log of batches; None writes no log.
    """

    def __init__(
        self,
        connection: AsyncConnection,
        target: Target,
        batch: BatchInfo,
        prepare: Prepare,
        logged: LoggedWrite | None = None,
    ) -> None:
        self._connection = connection
        self._target = target
        self._batch = batch
        self._prepare = prepare
        self._logged = logged
        self._warnings = _warnings_of(connection)
        self._is_unsure = False
        """Whether something that was looked up or written may not have reached the standbys."""

    @classmethod
    def batched(
        cls,
        connection: AsyncConnection,
        target: Target,
        rows: Rows,
        batch: BatchInfo,
        logged: LoggedWrite | None = None,
    ) -> "Statements":
        """Return statements that insert any number of rows at a time."""
        statement = target.insert_rows
        return cls(
            connection,
            target,
            batch,
            lambda chosen: (statement, target.arrays(rows, chosen, batch)),
            logged,
        )

    @classmethod
    def unbatched(cls, connection: AsyncConnection, target: Target, rows: Rows) -> "Statements":
        """Return statements that insert one row at a time, each with a batch id of its own."""

        def batch() -> BatchInfo:
            return BatchInfo(uuid4(), WritePath.UNBATCHED)

        return cls(
            connection,
            target,
            batch(),
            lambda chosen: (target.insert_row, target.scalars(rows, chosen[0], batch())),
        )

    async def insert(self, chosen: Sequence[int]) -> set[str]:
        """Insert rows whose keys are not stored yet, and return the keys of the inserted rows.

        Args:
            chosen: The numbers of the rows, sorted by key. Their keys all differ.
        """
        result = await self._send_insert(*self._prepare(chosen), records=len(chosen))
        inserted = set(result.scalars())
        if inserted:
            self._committed()
        if self._logged:
            self._logged.parts += 1
        return inserted

    async def insert_nothing(self) -> None:
        """Insert no rows. It fails if the INSERT cannot work, whatever the rows are."""
        nothing = self._target.nothing(self._batch)
        await self._send_insert(self._target.insert_rows, nothing, records=0)

    async def _send_insert(
        self, statement: ReturningInsert[str], parameters: Mapping[str, object], *, records: int
    ) -> CursorResult[*tuple[Any, ...]]:
        """Insert rows, and with them an entry of the log of batches if there is one."""
        if self._logged is None:
            return await self._send(statement, parameters)
        entry = self._logged.parameters(records)
        return await self._send(with_entry(statement), {**parameters, **entry})

    async def look_up(self, keys: Sequence[str]) -> dict[str, Stored]:
        """Return the stored rows of keys. All keys differ."""
        stored = await self._select(self._target.select_stored, keys)
        if not stored.keys() <= set(keys):
            # Postgres takes another spelling for the same key. So it has to tell which is which.
            asked = [key for key in keys if key not in stored]
            places = await self._select(self._target.select_places, asked)
            stored |= {asked[place - 1]: row for place, row in places.items()}
        return stored

    async def _select(self, look_up: LookUp, keys: Sequence[str]) -> dict[Any, Stored]:
        """Return stored rows by the first column of a look-up."""
        found = await self._send(look_up, {"keys": keys})
        stored = {first: (content, name, at) for first, content, name, at in found}
        if stored.pop(None, None) and stored:
            # The transaction of a row that is visible may wait for a standby all the same.
            self._is_unsure = True
        return stored

    async def takes_a_copy(self) -> bool:
        """Return whether Postgres takes a copy of a stored row under another key.

        The copy is rolled back. If the table is empty, or refuses the key, the answer is no.

        Raises:
            SQLAlchemyError: Postgres does not answer.
        """
        await self._connection.rollback()
        await self._connection.execution_options(isolation_level="READ COMMITTED")
        try:
            await self._send(text("SET CONSTRAINTS ALL IMMEDIATE"), {})
            copied = await self._send(self._target.insert_copy, {"key": uuid4().hex[:12]})
            return copied.first() is not None
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
            self._committed()

    async def make_sure(self) -> None:
        """Return once all that was looked up is committed as the settings of the server ask.

        A row is visible as soon as the wait of its commit for a standby is cancelled. A later
        commit of ours, for which nobody cancels the wait, means that the standby has the row too.

        Raises:
            DatabaseFailedError: The wait for a standby was cancelled.
        """
        if self._is_unsure:
            await self._send(COMMIT_SOMETHING, {})
            self._committed()
        if self._is_unsure:
            raise DatabaseFailedError(NOT_ON_STANDBY)

    async def _send(
        self, statement: Executable, parameters: Mapping[str, object]
    ) -> CursorResult[*tuple[Any, ...]]:
        self._warnings.came = False
        try:
            result = await self._connection.execute(statement, parameters)
        except asyncpg.PostgresWarning as warning:
            # asyncpg raises it so; SQLAlchemy and contextlib cannot handle it.
            raise RaisedAsWarningError(warning) from None
        # If a wait for a standby is cancelled, the server warns, and reports success.
        self._is_unsure |= self._warnings.came
        return result

    def _committed(self) -> None:
        """Note that the last statement wrote WAL, and that its commit has returned."""
        self._is_unsure = self._warnings.came


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
        # A closed one refuses. Then the first statement fails, and SQLAlchemy replaces all
        # connections of the pool, which it does not if the failure is not one of its own.
        if not driver.is_closed():
            driver.add_log_listener(warnings)
    return warnings
