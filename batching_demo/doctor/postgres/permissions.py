"""Whether the role may do what the batcher worker does."""

from collections.abc import Mapping

from sqlalchemy import ClauseElement, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from batching_demo.database.dead_letters.storing import INSERT
from batching_demo.database.errors import classify
from batching_demo.database.targets.records_sql import INSERT_ROWS, SELECT_STORED
from batching_demo.doctor.check import Check, ok, problem

PERMISSIONS = "permissions"
STATEMENTS: tuple[ClauseElement, ...] = (INSERT_ROWS, SELECT_STORED, INSERT)
NEEDED: Mapping[str, tuple[str, ...]] = {
    "records": ("INSERT", "SELECT"),
    "dead_letters": ("INSERT", "SELECT", "UPDATE"),
}
"""The privileges that these statements need, by table."""


async def check_permissions(connection: AsyncConnection) -> Check:
    """Have Postgres plan what the worker executes, for that needs the same privileges."""
    failures = [await _plan(connection, statement) for statement in STATEMENTS]
    if not any(failures):
        return ok(PERMISSIONS, "the role may do what the worker does")
    if missing := await _missing(connection):
        role = await connection.scalar(text("SELECT current_user"))
        return problem(PERMISSIONS, f"role {role} lacks {', '.join(missing)}: grant it")
    return problem(PERMISSIONS, next(filter(None, failures)))


async def _plan(connection: AsyncConnection, statement: ClauseElement) -> str:
    """Return why a statement cannot be planned; empty if it can."""
    compiled = statement.compile(dialect=connection.dialect)
    nothing = (None,) * len(compiled.params)
    try:
        async with connection.begin_nested():
            await connection.exec_driver_sql(f"EXPLAIN {compiled}", nothing)
    except DBAPIError as error:
        return classify(error).reason
    return ""


async def _missing(connection: AsyncConnection) -> list[str]:
    may = text("SELECT has_table_privilege(:table, :privilege)")
    return [
        f"{privilege} on {table}"
        for table, privileges in NEEDED.items()
        for privilege in privileges
        if not await connection.scalar(may, {"table": table, "privilege": privilege})
    ]
