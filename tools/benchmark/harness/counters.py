"""Counters of Postgres that can be read without waiting."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tools.benchmark.harness.cells import BegunBatch

# The statistics views lag by up to 10 s. The next transaction id and the end of the WAL do not.
_READ = text(
    "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint,"
    " pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"
)
# A batch commits within milliseconds of its start, which is what now() stands for in its rows.
_BATCHES = text(
    "SELECT extract(epoch FROM min(written_at))::float, count(*) FROM records"
    " WHERE run_label = :label GROUP BY batch_id ORDER BY 1"
)


@dataclass(frozen=True)
class Written:
    """Transactions that wrote, and bytes of WAL, since the cluster was initialised."""

    transactions: int
    wal_bytes: int

    def since(self, before: "Written") -> "Written":
        """Return the difference to an earlier reading."""
        return Written(self.transactions - before.transactions, self.wal_bytes - before.wal_bytes)


async def read_written(engine: AsyncEngine) -> Written:
    """Read both counters."""
    async with engine.connect() as connection:
        transactions, wal_bytes = (await connection.execute(_READ)).one()
        return Written(transactions, wal_bytes)


async def read_batches(engine: AsyncEngine, label: str) -> list[BegunBatch]:
    """Return the batches of a run label, in the order they began."""
    async with engine.connect() as connection:
        found = await connection.execute(_BATCHES, {"label": label})
        return [BegunBatch(began_at, records) for began_at, records in found]
