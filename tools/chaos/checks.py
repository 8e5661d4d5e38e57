"""Compare what was submitted with the verdicts and with the tables."""

from collections.abc import Mapping, Sequence
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


ROWS = "SELECT count(*), count(DISTINCT {key}) FROM {table}"
DEAD_LETTERS = """
SELECT count(DISTINCT (source, line)) FILTER (WHERE reason = 'conflict'),
       count(DISTINCT (source, line)) FILTER (WHERE reason <> 'conflict'),
       array_agg(DISTINCT reason)
FROM dead_letters WHERE source <> 'signal' AND target = :target
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


async def read_tables(engine: AsyncEngine, target: str, table: str, key: str) -> Tables:
    """Count rows, keys and dead letters of a target."""
    async with engine.connect() as connection:
        counted = await connection.execute(text(ROWS.format(table=table, key=key)))
        rows, keys = counted.one()
        letters = await connection.execute(text(DEAD_LETTERS), {"target": target})
        conflicts, rejected, reasons = letters.one()
    return Tables(rows, keys, conflicts, rejected, reasons or [])


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
        Check("verdict written", expected.written, verdicts["written"]),
        Check("verdict duplicate", expected.duplicate, verdicts["duplicate"]),
        Check("verdict conflict", expected.conflict, verdicts["conflict"]),
        Check("verdict rejected", expected.rejected, verdicts["rejected"]),
        Check("records in conflict with a dead letter", expected.conflict, tables.conflicts),
        Check("rejected records with a dead letter", expected.rejected, tables.rejected),
        Check("dead letters for other reasons", [], unexpected),
    ]


def without_receipts(checks: Sequence[Check]) -> list[Check]:
    """Return the checks of a target whose repeated attempts may say duplicate for written."""
    names = ("verdict written", "verdict duplicate")
    loose = [one for one in checks if one.name in names]
    expected, found = (
        sum(int(str(getattr(one, side))) for one in loose) for side in ("expected", "found")
    )
    kept = [one for one in checks if one not in loose]
    return [*kept, Check("verdicts written and duplicate", expected, found)]


def check_ids(results: Results, ids: Mapping[str, object]) -> list[Check]:
    """Return the checks of the ids that requesters got.

    Args:
        results: With key and id of each stored record.
        ids: Of the rows, by key.
    """
    stored = results.verdicts["written"] + results.verdicts["duplicate"]
    wrong = [(key, id_) for key, id_ in results.returned if id_ != ids.get(key)]
    unknown = sorted(ids.keys() - {key for key, _ in results.returned})
    return [
        Check("stored records with an id", stored, len(results.returned)),
        Check("ids that are not those of their rows", [], wrong[:5]),
        Check("rows whose id nobody got", [], unknown[:5]),
    ]
