"""Compare what was submitted with the verdicts and with the tables."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tools.chaos.load import Results
from tools.chaos.records import Expected


@dataclass(frozen=True)
class Tables:
    """The contents of the tables after a run, without what malformed signals left."""

    rows: int
    distinct_keys: int
    conflicts: int
    """Records with a dead letter for their conflict."""
    rejected: int
    """Records with a dead letter for another reason. They may have several: a record that is
    written again may be refused in another way."""
    reasons: Sequence[str]
    in_batches: int = 0
    """Rows that were written in batches."""
    in_log: int = 0
    """Rows that the log of batches has."""


ROWS = "SELECT count(*), count(DISTINCT idempotency_key) FROM records"
IN_BATCHES = "SELECT count(*) FROM records WHERE write_path <> 'unbatched'"
IN_LOG = "SELECT coalesce(sum(written), 0) FROM batches WHERE target = 'records'"
DEAD_LETTERS = """
SELECT count(DISTINCT (source, line)) FILTER (WHERE reason = 'conflict'),
       count(DISTINCT (source, line)) FILTER (WHERE reason <> 'conflict'),
       array_agg(DISTINCT reason)
FROM dead_letters WHERE source <> 'signal'
"""


@dataclass(frozen=True)
class Check:
    """One comparison that has to hold."""

    name: str
    expected: object
    found: object

    @property
    def holds(self) -> bool:
        """Whether both values are the same."""
        return self.expected == self.found


async def read_tables(engine: AsyncEngine) -> Tables:
    """Count rows, keys and dead letters."""
    async with engine.connect() as connection:
        rows, keys = (await connection.execute(text(ROWS))).one()
        conflicts, rejected, reasons = (await connection.execute(text(DEAD_LETTERS))).one()
        in_batches = (await connection.execute(text(IN_BATCHES))).scalar_one()
        in_log = (await connection.execute(text(IN_LOG))).scalar_one()
    return Tables(rows, keys, conflicts, rejected, reasons or [], in_batches, in_log)


def check(
    expected: Expected, results: Results, tables: Tables, loads: int, workers_died: int
) -> list[Check]:
    """Return all comparisons that have to hold."""
    verdicts = results.verdicts
    unexpected = sorted(set(tables.reasons) - set(expected.reasons))
    return [
        Check("workflows and requests that completed", loads, results.completed),
        Check("those without all verdicts", 0, len(results.unfinished)),
        Check("those that failed", 0, len(results.failed)),
        Check("workers that ended by themselves", 0, workers_died),
        Check("rows are distinct keys", tables.distinct_keys, tables.rows),
        Check("rows", expected.written, tables.rows),
        Check("rows in the log of batches", tables.in_batches, tables.in_log),
        Check("verdict written", expected.written, verdicts["written"]),
        Check("verdict duplicate", expected.duplicate, verdicts["duplicate"]),
        Check("verdict conflict", expected.conflict, verdicts["conflict"]),
        Check("verdict rejected", expected.rejected, verdicts["rejected"]),
        Check("records in conflict with a dead letter", expected.conflict, tables.conflicts),
        Check("rejected records with a dead letter", expected.rejected, tables.rejected),
        Check("dead letters for other reasons", [], unexpected),
    ]
