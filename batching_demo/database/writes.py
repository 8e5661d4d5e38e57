"""The only INSERTs of records in the project."""

from collections.abc import Sequence
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.contracts.names import WritePath
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
    """Write rows with one bulk INSERT and whatever else they need, and decide each.

    What cannot be stored becomes dead letters.

    Args:
        engine: Commits every statement by itself.
        rows: Of any number of submissions, keys in any order and number.
        batch: What all rows have in common.
        target: The table that they go to.
        look_first: Look all keys up before inserting. On a repetition most are there, and that
            takes a quarter of the time.
        rows_per_statement: Cuts the INSERT into smaller ones, where a whole one takes too long.

    Raises:
        DatabaseFailedError: No record is to blame; all may be tried again.
    """
    with database_errors():
        async with engine.connect() as connection:

            async def insert(chosen: Sequence[int]) -> set[str]:
                parameters = target.arrays(rows, chosen, batch)
                return set((await connection.execute(target.insert_rows, parameters)).scalars())

            per_statement = rows_per_statement or max(1, len(rows))
            write = RowWriter(connection, target, rows, insert, per_statement)
            return await write.run(batch, look_first=look_first)


async def write_unbatched(engine: AsyncEngine, rows: Rows, target: Target = RECORDS) -> WriteResult:
    """Write each row with an INSERT and a commit of its own, as a batch of one.

    Raises:
        DatabaseFailedError: No record is to blame; all may be tried again.
    """
    with database_errors():
        async with engine.connect() as connection:

            async def insert(chosen: Sequence[int]) -> set[str]:
                batch = BatchInfo(uuid4(), WritePath.UNBATCHED)
                parameters = target.scalars(rows, chosen[0], batch)
                return set((await connection.execute(target.insert_row, parameters)).scalars())

            return await RowWriter(connection, target, rows, insert, 1).run(None)
