"""Delete old receipts."""

from datetime import timedelta

from sqlalchemy import BigInteger, Interval, bindparam, text
from sqlalchemy.ext.asyncio import AsyncEngine

PAGES_AT_A_TIME = 2_000
"""16 MiB: so each statement ends long before its timeout."""
PAGES = text(
    "SELECT pg_relation_size('receipts') / current_setting('block_size')::bigint + 1 AS pages"
).columns(pages=BigInteger)
DELETE = text(
    "DELETE FROM receipts WHERE written_at < now() - :age"
    " AND ctid >= CAST(format('(%s,0)', :start) AS tid)"
    " AND ctid < CAST(format('(%s,0)', :end) AS tid)"
).bindparams(
    bindparam("age", type_=Interval),
    bindparam("start", type_=BigInteger),
    bindparam("end", type_=BigInteger),
)


async def prune_receipts(engine: AsyncEngine, older_than: timedelta) -> int:
    """Delete receipts by their age, and return how many there were.

    A submission whose receipts are gone may be applied again if it is sent again.

    Args:
        engine: Commits every statement by itself.
        older_than: By the clock of the database.
    """
    deleted = 0
    async with engine.connect() as connection:
        pages = (await connection.execute(PAGES)).scalar_one()
        for start in range(0, pages, PAGES_AT_A_TIME):
            part = {"age": older_than, "start": start, "end": start + PAGES_AT_A_TIME}
            deleted += (await connection.execute(DELETE, part)).rowcount
    return deleted
