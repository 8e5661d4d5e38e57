"""Have Postgres plan the statements of a target, without running them."""

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from batching_demo.database.advice import UPGRADE
from batching_demo.database.errors import FailureKind, classify
from batching_demo.database.targets.own_target import OwnTarget

NO_TABLE, NO_PRIVILEGE = "42P01", "42501"
ADVICE = {NO_TABLE: UPGRADE, NO_PRIVILEGE: "grant it"}
"""By SQLSTATE. The table itself is there, and its privileges were looked at before."""
OTHERWISE = "change the table, or what the target says of it"


async def plan_statements(connection: AsyncConnection, target: OwnTarget) -> list[str]:
    """Return why statements of a target cannot work, each in one line.

    This finds what the catalogs do not tell, such as a missing table of receipts.

    Args:
        connection: Commits every statement by itself.
        target: One that the catalogs have nothing against.

    Raises:
        DBAPIError: Postgres does not answer.
    """
    problems = []
    for name, sql in target.sql.used().items():
        nothing = (None,) * len(sql.parameters)
        try:
            await connection.exec_driver_sql(f"EXPLAIN {sql.text}", nothing)
        except DBAPIError as error:
            failure = classify(error)
            if failure.kind is FailureKind.OUTAGE:
                raise
            message = getattr(error.driver_exception, "message", failure.condition)
            advice = ADVICE.get(failure.sqlstate or "", OTHERWISE)
            problems.append(
                f"Postgres refuses to {name}: {message} (SQLSTATE {failure.sqlstate}): {advice}"
            )
    return list(dict.fromkeys(problems))
