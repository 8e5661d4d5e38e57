"""Compare what was submitted with the verdicts and with the tables."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tools.chaos.load import WorkflowResults
from tools.chaos.records import Expected


@dataclass(frozen=True)
class Tables:
    """The contents of the tables after a run."""

    rows: int
    distinct_keys: int
    letters: Mapping[str, int]
    """Dead letters by reason, without those of the malformed signals."""


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
        rows, keys = (
            await connection.execute(
                text("SELECT count(*), count(DISTINCT idempotency_key) FROM records")
            )
        ).one()
        letters = await connection.execute(
            text(
                "SELECT reason, count(*) FROM dead_letters"
                " WHERE source <> 'signal' GROUP BY reason ORDER BY reason"
            )
        )
        # From the rows: dict() would take the result for a mapping, because it has keys().
        return Tables(rows, keys, dict(letters.all()))


def check(
    expected: Expected, results: WorkflowResults, tables: Tables, workflows: int, workers_died: int
) -> list[Check]:
    """Return all comparisons that have to hold."""
    verdicts = results.verdicts
    unexpected = sorted(set(tables.letters) - set(expected.reasons))
    return [
        Check("main workflows that completed", workflows, results.completed),
        Check("main workflows without all verdicts", 0, len(results.unfinished)),
        Check("main workflows that failed", 0, len(results.failed)),
        Check("workers that ended by themselves", 0, workers_died),
        Check("rows are distinct keys", tables.distinct_keys, tables.rows),
        Check("rows", expected.written, tables.rows),
        Check("verdict written", expected.written, verdicts["written"]),
        Check("verdict duplicate", expected.duplicate, verdicts["duplicate"]),
        Check("verdict conflict", expected.conflict, verdicts["conflict"]),
        Check("verdict rejected", expected.rejected, verdicts["rejected"]),
        Check("dead letters of conflicts", expected.conflict, tables.letters.get("conflict", 0)),
        Check(
            "dead letters of rejected records",
            expected.rejected,
            sum(number for reason, number in tables.letters.items() if reason != "conflict"),
        ),
        Check("dead letters for other reasons", [], unexpected),
    ]
