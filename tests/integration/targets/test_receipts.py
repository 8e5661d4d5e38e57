"""What receipts promise: repeats, overlaps, and how long they are kept."""

import asyncio
import json
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.contracts.names import WritePath
from batching_demo.contracts.targets import OnConflict
from batching_demo.database.targets.receipts import prune_receipts
from tests.support.commands import aside, assert_one_line, run
from tests.support.database import direct, execute, fetch, scalar
from tests.support.own_writes import STORED, create, rows, trigger, write
from tests.support.records import record
from tests.support.writing import PATHS, rows_of, write_by

pytestmark = pytest.mark.as_writer
IGNORE, NEWEST, UPDATE = OnConflict
BATCHED = WritePath.BATCHED


@pytest.mark.parametrize("rule", OnConflict)
@pytest.mark.parametrize("path", PATHS)
async def test_a_repeat_finds_its_receipts_whatever_became_of_the_rows(
    engine: AsyncEngine, path: WritePath, rule: OnConflict
) -> None:
    target = await create(engine, rule, receipts=True)
    await write(engine, target, "before", {"k": "b", "v": "old", "version": 1})
    records: list[dict[str, object]] = [
        {"k": "a", "v": "x"},
        {"k": "b", "v": "y", "version": 2},
        {"k": None},
    ]
    first = await write_by(path, engine, rows("s", *records), target=target)
    second = "c" if rule is IGNORE else "u"
    assert "".join(first.codes) == f"w{second}r"
    assert json.loads(first.returned[0]) == {
        "id": await scalar(engine, "SELECT id FROM own WHERE k = 'a'")
    }
    changed = [0] if rule is IGNORE else [0, 1]
    assert [*first.returned] == changed
    await execute(engine, "UPDATE own SET v = 'z', version = 9, id = id + 100 WHERE k = 'b'")
    await execute(engine, "DELETE FROM own WHERE k = 'a'")
    for attempt in (1, 2):
        again = await write_by(path, engine, rows("s", *records), target=target, attempt=attempt)
        assert (again.codes, again.returned) == (first.codes, first.returned)
    assert await fetch(engine, STORED) == [("b", "z")]
    kept = "SELECT position FROM receipts WHERE submission_id = 's' AND target = 'own' ORDER BY 1"
    assert await fetch(engine, kept) == [(position,) for position in changed]


async def test_a_stale_record_that_comes_again_overwrites_nothing(engine: AsyncEngine) -> None:
    target = await create(engine, UPDATE, receipts=True)
    both = rows_of(
        ("s", [record("", {"k": "a", "v": "1"})]), ("t", [record("", {"k": "a", "v": "2"})])
    )
    for attempt in (1, 2):
        result = await write_by(BATCHED, engine, both, target=target, attempt=attempt)
        assert result.codes == ["s", "w"]
    assert await write(engine, target, "s", {"k": "a", "v": "1"}) == "s"
    assert await fetch(engine, STORED) == [("a", "2")]


async def test_a_submission_that_comes_twice_in_a_batch_is_applied_once(
    engine: AsyncEngine,
) -> None:
    target = await create(engine, UPDATE, receipts=True)
    twice = rows_of(*[("s", [record("", {"k": "a"}), record("", {"k": "b"})])] * 2)
    result = await write_by(BATCHED, engine, twice, target=target)
    assert result.codes == ["w"] * 4
    assert result.returned[0] == result.returned[2]


@pytest.mark.parametrize("rule", OnConflict)
async def test_overlapping_attempts_apply_a_submission_once(
    engine: AsyncEngine, rule: OnConflict
) -> None:
    target = await create(engine, rule, receipts=True)
    # Triggers run as the role that writes.
    await execute(engine, "CREATE TABLE changes (k text)", "GRANT INSERT ON changes TO public")
    await trigger(
        engine,
        "INSERT INTO changes VALUES (NEW.k); PERFORM pg_sleep(0.01); RETURN NULL;",
        "AFTER INSERT OR UPDATE",
    )
    stored = [{"k": f"{number:02}", "version": 0} for number in range(0, 20, 2)]
    await write(engine, target, "before", *stored)
    await execute(engine, "TRUNCATE changes")
    fresh = [{"k": f"{number:02}", "v": "x"} for number in range(20)]
    writes = [write_by(BATCHED, engine, rows("s", *fresh), target=target) for _ in range(3)]
    results = await asyncio.gather(*writes)
    expected = ["c" if rule is IGNORE else "u", "w"] * 10
    assert [result.codes for result in results] == [expected] * 3
    assert all(result.returned == results[0].returned for result in results)
    assert await scalar(engine, "SELECT count(*) FROM changes") == (10 if rule is IGNORE else 20)


async def test_old_receipts_are_pruned(
    engine: AsyncEngine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = await create(engine, receipts=True)
    await write(engine, target, "s", {"k": "a"}, {"k": "b"}, {"k": "c"})
    await execute(
        engine, "UPDATE receipts SET written_at = now() - interval '2 days' WHERE position < 2"
    )
    assert await prune_receipts(direct(engine), timedelta(days=3)) == 0
    monkeypatch.setenv("DATABASE_URL", database_url)
    result = await aside("receipts", "prune", "--older-than", "36h")
    assert (result.exit_code, result.stdout) == (0, "2 receipts deleted\n")
    assert await fetch(engine, "SELECT position FROM receipts") == [(2,)]


@pytest.mark.parametrize("age", ["", "30", "d", "-1d", "1.5d", "30 d", "1234567d", "1y", "1d1h"])
def test_what_is_no_age_is_refused(age: str) -> None:
    assert_one_line(
        run("receipts", "prune", f"--older-than={age}"), 2, "a number and s, m, h, d or w"
    )
