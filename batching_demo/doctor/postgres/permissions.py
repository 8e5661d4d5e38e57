"""Whether the role may do what a worker does, and no more."""

from collections.abc import Collection, Sequence

from sqlalchemy import ClauseElement, insert, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from batching_demo.contracts.targets import TargetDeclaration
from batching_demo.database.batch_log.entries import with_entry
from batching_demo.database.batch_log.log import ADD_RESULTS
from batching_demo.database.dead_letters.storing import INSERT
from batching_demo.database.errors import classify
from batching_demo.database.models import receipts
from batching_demo.database.roles.excess import find_excess
from batching_demo.database.roles.privileges import INSERTED, UPDATED
from batching_demo.database.targets.records_sql import INSERT_ROWS, SELECT_STORED
from batching_demo.database.targets.sql.looking_up import find_receipts
from batching_demo.doctor.check import Check, note, ok, problem

PERMISSIONS = "permissions"
STATEMENTS: Sequence[ClauseElement] = (
    with_entry(INSERT_ROWS),
    SELECT_STORED,
    ADD_RESULTS,
    INSERT,
)
OF_RECEIPTS: Sequence[ClauseElement] = (insert(receipts), find_receipts())
"""Only targets with `receipts = true` have them."""
ALWAYS = [name for name in INSERTED if name != receipts.name]
"""The tables that workers write to, whatever targets there are."""
ROLE = text("SELECT current_user")
MAY_COLUMN = text("SELECT has_column_privilege(:table, :column, :privilege)")
MAY_ANY = text("SELECT has_any_column_privilege(:table, :privilege)")


async def check_permissions(
    connection: AsyncConnection, targets: Sequence[TargetDeclaration], *, is_embedded: bool
) -> Check:
    """Have Postgres plan what workers execute, for that needs the same privileges.

    Args:
        connection: To a database whose schema is the newest.
        targets: Those that are declared.
        is_embedded: Whether it is the embedded server, which has a superuser and nobody else.
    """
    if lacks := await _find_lacking(connection, STATEMENTS, ALWAYS):
        return problem(PERMISSIONS, lacks)
    notes = []
    if lacks := await _find_lacking(connection, OF_RECEIPTS, [receipts.name]):
        if any(one.receipts for one in targets):
            return problem(PERMISSIONS, lacks)
        notes.append(f"{lacks}, if a target is to have receipts = true")
    if not is_embedded and (excess := await find_excess(connection)):
        role = await connection.scalar(ROLE)
        notes.append(
            f"role {role} may do more than a worker needs: {', '.join(excess)}; `batching-demo db"
            " roles` makes one with less"
        )
    if notes:
        return note(PERMISSIONS, "; ".join(notes))
    return ok(PERMISSIONS, "the role may do what the worker does")


async def _find_lacking(
    connection: AsyncConnection, statements: Collection[ClauseElement], tables: Collection[str]
) -> str:
    """Return what the role lacks for statements on tables, and what to do; empty if nothing."""
    failure = await _plan(connection, statements)
    if not failure:
        return ""
    missing = await _missing(connection, tables)
    if not missing:
        return failure
    return (
        f"role {await connection.scalar(ROLE)} lacks {', '.join(missing)}: grant it, or take the"
        " writer of `batching-demo db roles`"
    )


async def _plan(connection: AsyncConnection, statements: Collection[ClauseElement]) -> str:
    """Return why one of several statements cannot be planned; empty if all can."""
    for statement in statements:
        compiled = statement.compile(dialect=connection.dialect)
        nothing = (None,) * len(compiled.params)
        try:
            async with connection.begin_nested():
                await connection.exec_driver_sql(f"EXPLAIN {compiled}", nothing)
        except DBAPIError as error:
            return classify(error).reason
    return ""


async def _missing(connection: AsyncConnection, tables: Collection[str]) -> list[str]:
    """Return the privileges that a worker needs on tables and the role lacks."""
    missing = []
    for table in tables:
        for privilege in ("INSERT", "SELECT"):
            asked = {"table": table, "privilege": privilege}
            if not await connection.scalar(MAY_ANY, asked):
                missing.append(f"{privilege} on {table}")
        for column in UPDATED.get(table, ()):
            asked = {"table": table, "column": column, "privilege": "UPDATE"}
            if not await connection.scalar(MAY_COLUMN, asked):
                missing.append(f"UPDATE ({', '.join(UPDATED[table])}) on {table}")
                break
    return missing
