"""The identity of a database: a UUID that the migration makes, and that `db adopt` renews."""

from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.database.errors import (
    DatabaseFailedError,
    Failure,
    FailureKind,
    database_errors,
)
from batching_demo.database.models import database_identity

MISSING = Failure(
    FailureKind.OPERATOR, "the database has no identity: run `batching-demo db adopt`"
)


async def find_identity(engine: AsyncEngine) -> str | None:
    """Return the identity of a database; None if somebody has deleted it.

    Raises:
        DatabaseFailedError: The database does not answer, or is not migrated.
    """
    with database_errors():
        async with engine.connect() as connection:
            found = await connection.scalar(select(database_identity.c.identity))
    return str(found) if found else None


async def read_identity(engine: AsyncEngine) -> str:
    """Return the identity of a database.

    Raises:
        DatabaseFailedError: The database does not answer, is not migrated, or has no identity.
    """
    found = await find_identity(engine)
    if found is None:
        raise DatabaseFailedError(MISSING)
    return found


async def renew_identity(engine: AsyncEngine) -> str:
    """Give a database a new identity, and return it.

    Args:
        engine: Commits every statement by itself.

    Raises:
        DatabaseFailedError: The database does not answer, or refuses.
    """
    new = uuid4()
    statement = insert(database_identity).values(is_only_row=True, identity=new)
    statement = statement.on_conflict_do_update(
        index_elements=[database_identity.c.is_only_row], set_={"identity": new}
    )
    with database_errors():
        async with engine.connect() as connection:
            await connection.execute(statement)
    return str(new)
