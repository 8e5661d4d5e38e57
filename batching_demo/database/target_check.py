"""Check, before anything is written, that the statements of a target work."""

from uuid import UUID

from sqlalchemy import CHAR
from sqlalchemy.dialects.postgresql import CITEXT
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.types import TypeEngine

from batching_demo.contracts.errors import UserError
from batching_demo.contracts.names import WritePath
from batching_demo.database.errors import FailureKind, classify, database_errors
from batching_demo.database.rows import BatchInfo
from batching_demo.database.target import Target

MENDED_MEANWHILE = ("42P01", "42501", "3D000", "3F000", "28000", "28P01")
"""Nothing is wrong with the target: a table, a privilege, a schema or a login is missing yet."""
NO_BATCH = BatchInfo(UUID(int=0), WritePath.UNBATCHED)
COMPARED_OTHERWISE: dict[str, type[TypeEngine[str]]] = {"citext": CITEXT, "character": CHAR}
"""Types of keys for which Postgres compares otherwise than for text, as SQLAlchemy names them."""


class TargetError(UserError):
    """The database cannot do what a target says. The message is one line.

    Args:
        table: The name of the table of the target.
        problem: What does not fit, and what to do.
    """

    def __init__(self, table: str, problem: str) -> None:
        super().__init__(f"table {table} does not fit its Target: {problem}")


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
