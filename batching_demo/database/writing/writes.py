"""The only INSERTs of records in the project."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from batching_demo.database.batch_log.log import BatchLog
from batching_demo.database.encoding import encoding_of
from batching_demo.database.errors import (
    DatabaseFailedError,
    FailureKind,
    classify,
    database_errors,
)
from batching_demo.database.targets.check import expect_unchanged
from batching_demo.database.targets.records import RECORDS
from batching_demo.database.writing.row_writer import RowWriter, WriteResult
from batching_demo.database.writing.rows import BatchInfo, Rows
from batching_demo.database.writing.sender import Sender
from batching_demo.database.writing.target import Target


async def write_batch(
    engine: AsyncEngine,
    rows: Rows,
    batch: BatchInfo,
    target: Target = RECORDS,
    *,
    attempt: int = 1,
    rows_per_statement: int | None = None,
    log: BatchLog | None = None,
) -> WriteResult:
    """Write rows with one bulk INSERT, and return the verdict of each.

    Further statements follow only for keys that are stored already, for rows that Postgres refuses
    or does not store, and for dead letters. Each row that cannot be stored becomes a dead letter.

    Args:
        engine: Commits every statement by itself.
        rows: The rows of any number of submissions. Keys may come in any order, and more than once.
        batch: What all rows have in common.
        target: The table that they go to.
        attempt: Which attempt at the batch this is. From the second on, all keys are looked up
            first: most of them may be stored, and this takes a quarter of the time. After the third
            a record may be at fault even if the SQLSTATE speaks of the server.
        rows_per_statement: Cuts the INSERT into smaller ones, for a batch that takes too long.
        log: Gets an entry for each INSERT that commits.

    Raises:
        DatabaseFailedError: No record is to blame. The same rows may be written again.
    """
    at_once = rows_per_statement or max(1, len(rows))
    return await _write(engine, rows, batch, target, at_once, attempt, log)


async def write_unbatched(
    engine: AsyncEngine, rows: Rows, target: Target = RECORDS, *, attempt: int = 1
) -> WriteResult:
    """Write each row with an INSERT and a commit of its own, and return the verdict of each.

    Args:
        engine: Commits every statement by itself.
        rows: The rows of any number of submissions. Each gets a batch id of its own.
        target: The table that they go to.
        attempt: Which attempt at the write this is.

    Raises:
        DatabaseFailedError: No record is to blame. The same rows may be written again.
    """
    return await _write(engine, rows, None, target, 1, attempt)


async def try_target(engine: AsyncEngine, target: Target = RECORDS) -> None:
    """Send an INSERT of no rows, to find out whether the table takes any now.

    Raises:
        DatabaseFailedError: It does not.
    """
    with database_errors():
        async with engine.connect() as connection:
            rows = Rows()
            rows.escape(encoding_of(connection))
            statements = target.statements(Sender(connection), rows, None)
            async with _changes_reported(connection, target):
                await statements.insert([])


async def _write(
    engine: AsyncEngine,
    rows: Rows,
    batch: BatchInfo | None,
    target: Target,
    rows_per_statement: int,
    attempt: int,
    log: BatchLog | None = None,
) -> WriteResult:
    """Write rows. Each is a batch of its own if there is no batch."""
    with database_errors():
        async with engine.connect() as connection:
            encoding = encoding_of(connection)
            rows.escape(encoding)
            logged = log.begin(batch, target.name, attempt, encoding) if log and batch else None
            sender = Sender(connection, logged)
            statements = target.statements(sender, rows, batch)
            check = partial(expect_unchanged, connection, target)
            writer = RowWriter(sender, statements, rows, rows_per_statement, attempt, check)
            async with _changes_reported(connection, target):
                result = await writer.run(batch, look_first=batch is not None and attempt > 1)
    if log and logged:
        log.end(logged, result.codes)
    return result


@asynccontextmanager
async def _changes_reported(connection: AsyncConnection, target: Target) -> AsyncIterator[None]:
    """Raise that the table has changed, if it has: that explains an operator's failure better."""
    try:
        yield
    except (SQLAlchemyError, DatabaseFailedError) as error:
        failure = error.failure if isinstance(error, DatabaseFailedError) else classify(error)
        if failure.kind is FailureKind.OPERATOR:
            await expect_unchanged(connection, target)
        raise
