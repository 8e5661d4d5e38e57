"""What decides besides us which rows are stored: policies, triggers and rules of our tables."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from batching_demo.doctor.check import Check, ok

TABLES = "tables"
FOUND = text(
    """
    WITH ours AS (SELECT to_regclass(name) AS oid, name
                  FROM unnest(ARRAY['records', 'dead_letters']) AS name)
    SELECT ours.name, 'row level security, which applies to role ' || current_user AS what
    FROM ours WHERE row_security_active(ours.oid)
    UNION ALL
    SELECT ours.name, 'policy ' || polname FROM ours JOIN pg_policy ON polrelid = ours.oid
    JOIN pg_class ON pg_class.oid = ours.oid WHERE relrowsecurity
    UNION ALL
    SELECT ours.name, 'trigger ' || tgname FROM ours JOIN pg_trigger ON tgrelid = ours.oid
    WHERE NOT tgisinternal AND tgenabled <> 'D'
    UNION ALL
    SELECT ours.name, 'rule ' || rulename FROM ours JOIN pg_rewrite ON ev_class = ours.oid
    ORDER BY 1, 2
    """
)


async def check_tables(connection: AsyncConnection) -> Check:
    """Name policies, triggers and rules. They are no problem, but they explain rejections."""
    found = (await connection.execute(FOUND)).all()
    if not found:
        return ok(TABLES, "no policies, triggers or rules")
    return ok(TABLES, f"{_listed(found)}: a record that they refuse or change is rejected")


def _listed(found: Sequence[Sequence[str]]) -> str:
    by_table: dict[str, list[str]] = {}
    for table, what in found:
        by_table.setdefault(table, []).append(what)
    return "; ".join(f"{table} has {', '.join(what)}" for table, what in by_table.items())
