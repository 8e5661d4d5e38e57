"""Compare what was submitted, what workflows were told, and what the tables hold."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tools.chaos.load import Results
from tools.chaos.records import Expected


@dataclass(frozen=True)
class Tables:
    """What Postgres holds after a run."""

    rows: int
    distinct_keys: int
    letters: Mapping[str, int]
    """By reason, but for signals that were malformed on purpose."""


@dataclass(frozen=True)
class Check:
    """One thing that has to hold."""

    name: str
    expected: object
    found: object

    @property
    def holds(self) -> bool:
        """Whether it does."""
        return self.expected == self.found


async def read_tables(engine: AsyncEngine) -> Tables:
    """Count rows, keys and letters."""
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
        # Of the rows, not of the result: dict() takes whatever has keys() for a mapping.
        return Tables(rows, keys, dict(letters.all()))


def check(
    expected: Expected, results: Results, tables: Tables, workflows: int, workers_died: int
) -> list[Check]:
    """List all that has to hold."""
    told = results.verdicts
    unexpected = sorted(set(tables.letters) - set(expected.reasons))
    return [
        Check("main workflows that completed", workflows, results.completed),
        Check("main workflows without all verdicts", 0, len(results.unfinished)),
        Check("main workflows that failed", 0, len(results.failed)),
        Check("workers that ended by themselves", 0, workers_died),
        Check("rows are distinct keys", tables.distinct_keys, tables.rows),
        Check("rows", expected.written, tables.rows),
        Check("told written", expected.written, told["written"]),
        Check("told duplicate", expected.duplicate, told["duplicate"]),
        Check("told conflict", expected.conflict, told["conflict"]),
        Check("told rejected", expected.rejected, told["rejected"]),
        Check("letters of conflicts", expected.conflict, tables.letters.get("conflict", 0)),
        Check(
            "letters of rejected records",
            expected.rejected,
            sum(number for reason, number in tables.letters.items() if reason != "conflict"),
        ),
        Check("letters for any other reason", [], unexpected),
    ]
