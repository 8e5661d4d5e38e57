"""Writes to own tables of all kinds, under each rule for conflicts. Postgres compares the keys."""

import json
from collections.abc import Mapping

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.contracts.batches import INCOMPLETE
from batching_demo.contracts.targets import OnConflict
from batching_demo.database.targets.own_target import OwnTarget
from batching_demo.database.writing.row_writer import WriteResult
from batching_demo.database.writing.writes import write_batch
from tests.support.database import execute, fetch, scalar
from tests.support.own_tables import declared, own_target
from tests.support.records import batch_info, record
from tests.support.table_kinds import KINDS, TableKind
from tests.support.writing import rows_of

pytestmark = pytest.mark.as_writer

IGNORE, NEWEST, UPDATE = OnConflict


async def create(engine: AsyncEngine, kind: TableKind, rule: OnConflict) -> OwnTarget:
    created = f"CREATE TABLE {kind.table} ({kind.columns}, version integer DEFAULT 1) {kind.suffix}"
    declaration = declared(
        kind.table,
        *kind.key,
        columns=kind.fields,
        on_conflict=rule,
        newest_by="version" if rule is NEWEST else None,
        returned=[*kind.key, "version"],
        receipts=rule is UPDATE,
    )
    return await own_target(engine, declaration, created, *kind.after)


class Writer:
    """Writes batches, each of another submission."""

    def __init__(self, engine: AsyncEngine, target: OwnTarget) -> None:
        self._engine = engine
        self._target = target
        self._submissions = 0
        self.last: WriteResult

    async def write(self, *payloads: Mapping[str, object]) -> str:
        """Write records, and return the codes of their verdicts."""
        self._submissions += 1
        records = [record("label", payload) for payload in payloads]
        rows = rows_of((f"s{self._submissions}", records))
        self.last = await write_batch(self._engine, rows, batch_info(), self._target)
        return "".join(self.last.codes)


async def stored(engine: AsyncEngine, kind: TableKind) -> list[object]:
    """Return what is stored of each row, as text."""
    found = await fetch(engine, f"SELECT CAST({kind.shown} AS text) FROM {kind.table}")
    return [shown for [shown] in found]


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
async def test_a_table_of_any_kind(engine: AsyncEngine, kind: TableKind) -> None:
    if kind.needs and not await fetch(engine, kind.needs):
        pytest.skip("this Postgres cannot have such a table")
    await execute(engine, *kind.before)
    for rule in OnConflict:
        await expect_verdicts(engine, kind, rule)
        await execute(engine, f"DROP TABLE {kind.table}")
        # Its connections remember the table.
        await engine.dispose()


async def expect_verdicts(engine: AsyncEngine, kind: TableKind, rule: OnConflict) -> None:
    """Write records of every verdict to a new table under a rule."""
    target = await create(engine, kind, rule)
    writer = Writer(engine, target)
    old, now, later = ({"version": number} for number in (1, 2, 3))

    assert await writer.write(kind.second | now, kind.bad | now, kind.first | now) == "wrw"
    problem = writer.last.problems[1]
    assert problem.sqlstate == kind.sqlstate
    assert (problem.reason == INCOMPLETE) is (kind.sqlstate is None)
    returned = {row: json.loads(text) for row, text in writer.last.returned.items()}
    assert [one["version"] for one in returned.values()] == [2, 2]
    assert set(returned) == {0, 2}
    assert kind.first_shown in await stored(engine, kind)

    assert await writer.write(kind.same | now) == ("u" if rule is UPDATE else "d")
    assert json.loads(writer.last.returned[0]) == returned[2]
    assert await writer.write(kind.other | now) == {IGNORE: "c", NEWEST: "c", UPDATE: "u"}[rule]
    # Twice in a batch, and stored already.
    twice = await writer.write(kind.same | old, kind.other | later)
    assert twice == {IGNORE: "cc", NEWEST: "su", UPDATE: "su"}[rule]
    expected = kind.first_shown if rule is IGNORE else kind.other_shown
    assert expected in await stored(engine, kind)
    assert await scalar(engine, f"SELECT count(*) FROM {kind.table}") == 2
