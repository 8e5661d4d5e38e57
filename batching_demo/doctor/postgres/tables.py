"""What decides besides us which rows are stored: policies, triggers and rules of our tables."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from batching_demo.database.advice import RULE
from batching_demo.database.roles.privileges import INSERTED
from batching_demo.doctor.check import Check, ok, problem

TABLES = "tables"
OURS = "(SELECT to_regclass(name) AS oid, name FROM unnest(CAST(:names AS text[])) AS name) AS ours"
FOUND = text(
    f"""
    SELECT ours.name, 'row level security, which applies to role ' || current_user AS what
    FROM {OURS} WHERE row_security_active(ours.oid)
    UNION ALL
    SELECT ours.name, 'policy ' || polname FROM {OURS} JOIN pg_policy ON polrelid = ours.oid
    JOIN pg_class ON pg_class.oid = ours.oid WHERE relrowsecurity
    UNION ALL
    SELECT ours.name, 'trigger ' || tgname FROM {OURS} JOIN pg_trigger ON tgrelid = ours.oid
    WHERE NOT tgisinternal AND tgenabled <> 'D'
    ORDER BY 1, 2
    """
)
# Those for INSERT and UPDATE. Postgres then refuses the statements of workers as a whole.
RULES = text(
    f"""
    SELECT ours.name, 'rule ' || rulename FROM {OURS} JOIN pg_rewrite ON ev_class = ours.oid
    WHERE ev_type IN ('2', '3') AND ev_enabled <> 'D'
    ORDER BY 1, 2
    """
)


async def check_tables(connection: AsyncConnection) -> Check:
    """Name what else decides. Policies and triggers explain rejections; rules let no row in."""
    names = {"names": [*INSERTED]}
    if rules := (await connection.execute(RULES, names)).all():
        return problem(TABLES, f"{_listed(rules)}: {RULE.action}")
    found = (await connection.execute(FOUND, names)).all()
    if not found:
        return ok(TABLES, "no policies, triggers or rules")
    return ok(TABLES, f"{_listed(found)}: a record that they refuse or change is rejected")


def _listed(found: Sequence[Sequence[str]]) -> str:
    by_table: dict[str, list[str]] = {}
    for table, what in found:
        by_table.setdefault(table, []).append(what)
    return "; ".join(f"{table} has {', '.join(what)}" for table, what in by_table.items())
