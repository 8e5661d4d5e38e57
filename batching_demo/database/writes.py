"""The only INSERTs of records in the project."""

from collections.abc import Sequence
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.contracts.names import WritePath
from batching_demo.database.encoding import encoding_of
from batching_demo.database.errors import database_errors
from batching_demo.database.row_writer import RowWriter, WriteResult
from batching_demo.database.rows import BatchInfo, Rows
from batching_demo.database.target import RECORDS, Target


async def write_batch(
    engine: AsyncEngine,
    rows: Rows,
    batch: BatchInfo,
    target: Target = RECORDS,
    *,
    look_first: bool = False,
    rows_per_statement: int | None = None,
) -> WriteResult:
    """Write rows with one bulk INSERT, and return the verdict of each.

    Further statements follow only for keys that are stored already, for rows that Postgres refuses,
    and for dead letters. Each row that cannot be stored becomes a dead letter.

    Args:
        engine: Commits every statement by itself.
        rows: The rows of any number of submissions. Keys may come in any order, and more than once.
        batch: What all rows have in common.
        target: The table that they go to.
        look_first: Look up all keys before the INSERT. If a batch is repeated, most of them are
            stored, and this takes a quarter of the time.
        rows_per_statement: Cuts the INSERT into smaller ones, for a batch that takes too long.

    Raises:
        DatabaseFailedError: No record is to blame. The same rows may be written again.
    """
    with database_errors():
        async with engine.connect() as connection:
            rows.escape(encoding_of(connection))

            async def insert(chosen: Sequence[int]) -> set[str]:
                parameters = target.arrays(rows, chosen, batch)
                return set((await connection.execute(target.insert_rows, parameters)).scalars())

            per_statement = rows_per_statement or max(1, len(rows))
            write = RowWriter(connection, target, rows, insert, per_statement)
            return await write.run(batch, look_first=look_first)


async def write_unbatched(engine: AsyncEngine, rows: Rows, target: Target = RECORDS) -> WriteResult:
    """Write each row with an INSERT and a commit of its own, and return the verdict of each.

    Args:
        engine: Commits every statement by itself.
        rows: The rows of any number of submissions. Each gets a batch id of its own.
        target: The table that they go to.

    Raises:
        DatabaseFailedError: No record is to blame. The same rows may be written again.
    """
    with database_errors():
        async with engine.connect() as connection:
            rows.escape(encoding_of(connection))

            async def insert(chosen: Sequence[int]) -> set[str]:
                batch = BatchInfo(uuid4(), WritePath.UNBATCHED)
                parameters = target.scalars(rows, chosen[0], batch)
                return set((await connection.execute(target.insert_row, parameters)).scalars())

            return await RowWriter(connection, target, rows, insert, 1).run(None)
