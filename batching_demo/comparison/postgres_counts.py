"""What Postgres itself counted, from pg_stat_database and pg_stat_wal."""

import asyncio
import time
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import bindparam, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from batching_demo.database.models import records

VIEWS = "pg_stat_database.xact_commit, pg_stat_wal.wal_bytes"
LONGEST_LAG_SECONDS = 15.0
"""Sessions report what they did within about 10 s of falling idle."""
POLL_SECONDS = 0.25

# "none" reads the counters afresh each time, so that one transaction can poll them and adds no
# commits of its own to what it counts.
_FRESH = text("SET LOCAL stats_fetch_consistency = none")
_COUNTERS = text(
    "SELECT d.xact_commit, w.wal_bytes FROM pg_stat_database d, pg_stat_wal w"
    " WHERE d.datname = current_database()"
)
_BATCHES = (
    select(records.c.batch_id, func.count())
    .where(records.c.run_label == bindparam("label"))
    .group_by(records.c.batch_id)
    .order_by(func.min(records.c.id))
)


@dataclass(frozen=True)
class Counters:
    """Commits of the database and WAL of the cluster, since their last reset."""

    commits: int
    wal_bytes: int

    def since(self, before: "Counters") -> "Counters":
        """Give the difference to an earlier reading."""
        return Counters(self.commits - before.commits, self.wal_bytes - before.wal_bytes)


async def checkpoint(engine: AsyncEngine) -> None:
    """Start every path right after a checkpoint, so that all write the same full-page images."""
    async with engine.connect() as connection:
        connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
        may = await connection.scalar(
            text("SELECT pg_has_role(current_user, 'pg_checkpoint', 'USAGE')")
        )
        if may:
            await connection.execute(text("CHECKPOINT"))


async def read_counters(engine: AsyncEngine, at_least: Counters | None = None) -> Counters:
    """Read the counters once they show what is known to have happened and stand still."""
    async with engine.begin() as connection:
        await connection.execute(_FRESH)
        deadline = time.monotonic() + LONGEST_LAG_SECONDS
        previous = await _read(connection)
        still_since = time.monotonic()
        while time.monotonic() < deadline:
            await asyncio.sleep(POLL_SECONDS)
            current = await _read(connection)
            if current.commits != previous.commits:
                previous, still_since = current, time.monotonic()
            caught_up = at_least is None or current.commits >= at_least.commits
            if caught_up and time.monotonic() - still_since > 4 * POLL_SECONDS:
                break
        return previous


async def _read(connection: AsyncConnection) -> Counters:
    row = (await connection.execute(_COUNTERS)).one()
    return Counters(int(row.xact_commit), int(row.wal_bytes))


async def batch_rows(engine: AsyncEngine, run_label: str) -> dict[UUID, int]:
    """Count the rows of every batch of a run, in the order they were written."""
    async with engine.begin() as connection:
        found = await connection.execute(_BATCHES, {"label": run_label})
        return {batch_id: int(rows) for batch_id, rows in found}
