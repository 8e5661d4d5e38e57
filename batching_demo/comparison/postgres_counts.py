"""The counters of Postgres itself, from pg_stat_database and pg_stat_wal."""

import asyncio
import time
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import bindparam, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from batching_demo.database.models import records

VIEWS = "pg_stat_database, pg_stat_wal"
LONGEST_LAG_SECONDS = 15.0
"""A session reports what it did within about 10 s after it falls idle."""
POLL_SECONDS = 0.25
STILL_SECONDS = 1.0

# "none" reads the counters afresh each time, so that one transaction can poll them and adds no
# commits of its own to what it counts.
_FRESH = text("SET LOCAL stats_fetch_consistency = none")
_COUNTERS = text(
    "SELECT d.xact_commit, w.wal_bytes,"
    " (SELECT sum(n_tup_ins) FROM pg_stat_user_tables) AS n_tup_ins"
    " FROM pg_stat_database d, pg_stat_wal w WHERE d.datname = current_database()"
)
_BATCHES = (
    select(records.c.batch_id, func.count())
    # Requests without a workflow have no run label, but name their source.
    .where(or_(records.c.run_label == bindparam("label"), records.c.source == bindparam("label")))
    .group_by(records.c.batch_id)
    .order_by(func.min(records.c.id))
)


@dataclass(frozen=True)
class Counters:
    """Commits of the database, WAL of the cluster, rows inserted in all tables of the database.

    Each is since its last reset.
    """

    commits: int
    wal_bytes: int
    inserted: int

    def since(self, before: "Counters") -> "Counters":
        """Return the difference to an earlier reading."""
        return Counters(
            self.commits - before.commits,
            self.wal_bytes - before.wal_bytes,
            self.inserted - before.inserted,
        )


async def checkpoint(engine: AsyncEngine) -> None:
    """Write a checkpoint if the role may: after one, all paths write the same full-page images."""
    async with engine.connect() as connection:
        connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
        may = await connection.scalar(
            text("SELECT pg_has_role(current_user, 'pg_checkpoint', 'USAGE')")
        )
        if may:
            await connection.execute(text("CHECKPOINT"))


async def read_counters(engine: AsyncEngine, *, inserted: int = 0) -> Counters:
    """Read the counters once they stand still and show rows that are known to be inserted.

    A session reports its commits, WAL and rows at the same time.
    """
    async with engine.begin() as connection:
        await connection.execute(_FRESH)
        deadline = time.monotonic() + LONGEST_LAG_SECONDS
        last, still_since = await _read(connection), time.monotonic()
        while time.monotonic() < deadline:
            await asyncio.sleep(POLL_SECONDS)
            current = await _read(connection)
            if current != last:
                last, still_since = current, time.monotonic()
            is_still = time.monotonic() - still_since > STILL_SECONDS
            if is_still and current.inserted >= inserted:
                break
        return last


async def _read(connection: AsyncConnection) -> Counters:
    row = (await connection.execute(_COUNTERS)).one()
    return Counters(int(row.xact_commit), int(row.wal_bytes), int(row.n_tup_ins))


async def batch_rows(engine: AsyncEngine, run_label: str) -> dict[UUID, int]:
    """Count the rows of every batch of a run, in the order they were written."""
    async with engine.begin() as connection:
        found = await connection.execute(_BATCHES, {"label": run_label})
        return {batch_id: int(rows) for batch_id, rows in found}
