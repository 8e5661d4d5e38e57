"""Verdicts on real Postgres: a function of the table and the record, whatever happens meanwhile."""

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from random import Random
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.runtime import Runtime

from batching_demo.batcher_service import batch_writer
from batching_demo.batcher_service.metrics import WorkerMetrics
from batching_demo.contracts.encoding import PreparedRecord
from batching_demo.contracts.targets import RECORDS_TARGET
from batching_demo.database.engine import create_engine
from batching_demo.database.errors import DatabaseFailedError, FailureKind
from batching_demo.database.targets.records_sql import INSERT_ROWS, arrays
from batching_demo.database.targets.registry import Targets
from batching_demo.database.writing.row_writer import OTHER_CONTENT
from batching_demo.database.writing.rows import Rows
from batching_demo.database.writing.writes import write_batch, write_unbatched
from tests.support.database import execute, expect_waiting_writes, fetch, locked_table, scalar
from tests.support.records import batch_info, record, submission
from tests.support.writing import Statements, rows_of

pytestmark = pytest.mark.as_writer

POISON = '{"text": "\\u0000"}'


def poison(key: str) -> PreparedRecord:
    return PreparedRecord(key, 1, POISON, bytes(range(32)))


async def write(engine: AsyncEngine, rows: Rows) -> str:
    return "".join((await write_batch(engine, rows, batch_info())).codes)


async def test_fresh_keys_take_one_statement(engine: AsyncEngine) -> None:
    statements = Statements(engine)
    rows = rows_of(("s", [record(f"k{number}") for number in range(100)]))
    assert await write(engine, rows) == "w" * 100
    assert statements.sent == ["INSERT INTO records"]
    assert await scalar(engine, "SELECT count(*) FROM records") == 100


async def test_an_empty_batch_sends_nothing(engine: AsyncEngine) -> None:
    statements = Statements(engine)
    assert await write(engine, Rows()) == ""
    assert statements.sent == []


async def test_every_column_is_stored(engine: AsyncEngine) -> None:
    batch_id = uuid4()
    one = record("k", {"n": 1}, line=7)
    await write_batch(engine, rows_of(("s", [record("other"), one])), batch_info(batch_id, 3))
    found = await fetch(
        engine,
        "SELECT source, line, payload->>'n', content_hash, submission_id, position, batch_id,"
        " write_path, run_label, shard FROM records WHERE idempotency_key = 'k'",
    )
    assert found == [
        ("test", 7, "1", one.content_hash, "s", 1, batch_id, "batched", "first", 3),
    ]


async def test_the_same_submission_again_is_written(engine: AsyncEngine) -> None:
    rows = rows_of(("s", [record("a"), record("b")]))
    assert await write(engine, rows) == "ww"
    assert await write(engine, rows) == "ww"
    assert await scalar(engine, "SELECT count(*) FROM records") == 2


async def test_another_submission_is_duplicate_or_conflict(engine: AsyncEngine) -> None:
    await write(engine, rows_of(("s", [record("a"), record("b")])))
    result = await write_batch(
        engine, rows_of(("t", [record("a"), record("b", {"other": 1}), record("c")])), batch_info()
    )
    assert "".join(result.codes) == "dcw"
    assert result.problems[1].position == 1
    assert result.problems[1].reason == "conflict"
    stored = await scalar(engine, "SELECT payload FROM records WHERE idempotency_key = 'b'")
    assert stored == {"key": "b"}


async def test_one_key_many_times_in_a_batch(engine: AsyncEngine) -> None:
    rows = rows_of(
        ("s", [record("b"), record("a"), record("a"), record("a", {"x": 1})]), ("t", [record("a")])
    )
    assert await write(engine, rows) == "wwdcd"
    assert await write(engine, rows) == "wwdcd"


async def test_the_next_record_of_a_key_is_tried_if_the_first_is_refused(
    engine: AsyncEngine,
) -> None:
    assert await write(engine, rows_of(("s", [poison("a"), record("a"), record("a")]))) == "rwd"


async def test_rejected_by_preparation_is_answered_and_not_sent(engine: AsyncEngine) -> None:
    rejected = PreparedRecord("", 4, "nonsense", b"", rejection="not_json: no object")
    result = await write_batch(engine, rows_of(("s", [record("a"), rejected])), batch_info())
    assert "".join(result.codes) == "wr"
    assert (result.problems[1].reason, result.problems[1].detail) == ("not_json", "no object")


async def test_any_keys_and_payloads_come_back(engine: AsyncEngine) -> None:
    keys = ["", " ", "é", "😀", "{}", '"', "\\", "NULL", "a\nb", "A", "a", "a "]
    rows = rows_of(("s", [record(key, {"text": key, "none": None}) for key in keys]))
    assert await write(engine, rows) == "w" * len(keys)
    stored = await fetch(engine, "SELECT idempotency_key, payload->>'text' FROM records")
    assert sorted(stored) == sorted((key, key) for key in keys)


@pytest.mark.parametrize(
    ("bad", "most"),
    [
        ([[position] for position in range(100)], 14),
        ([sorted(Random(seed).sample(range(100), 3)) for seed in range(40)], 34),
        ([[0, 50, 99]], 32),
    ],
    ids=["one anywhere", "three anywhere", "first, middle and last"],
)
async def test_bad_records_cost_their_neighbours_nothing(
    engine: AsyncEngine, bad: list[list[int]], most: int
) -> None:
    statements = Statements(engine)
    for attempt, positions in enumerate(bad):
        statements.sent.clear()
        result = await write_batch(engine, with_poison(attempt, positions), batch_info())
        assert [at for at, code in enumerate(result.codes) if code == "r"] == positions
        assert set(result.codes) == {"w", "r"}
        assert {problem.sqlstate for problem in result.problems.values()} == {"22P05"}
        assert statements.inserts <= most, positions
    stored = len(bad) * 100 - sum(map(len, bad))
    assert await scalar(engine, "SELECT count(*) FROM records") == stored


def with_poison(attempt: int, positions: Sequence[int]) -> Rows:
    """Make a batch of 100 fresh keys, bad at some positions of their order."""
    records = [record(f"{attempt:03}-{number:02}") for number in range(100)]
    for position in positions:
        records[position] = poison(f"{attempt:03}-{position:02}")
    return rows_of((f"s{attempt}", records))


async def test_only_bad_records(engine: AsyncEngine) -> None:
    rows = rows_of(("s", [poison(f"k{number}") for number in range(10)]))
    assert await write(engine, rows) == "r" * 10


async def test_two_writes_of_one_submission_at_once_give_the_same_verdicts(
    engine: AsyncEngine,
) -> None:
    for attempt in range(30):
        records = [record(f"{attempt}-{number}") for number in range(20)]
        rows = rows_of((f"s{attempt}", [*records, record(f"{attempt}-0", {"other": 1})]))
        results = await asyncio.gather(*(write(engine, rows) for _ in range(3)))
        assert results == ["w" * 20 + "c"] * 3


async def test_the_same_keys_in_opposite_order_do_not_deadlock(engine: AsyncEngine) -> None:
    await slow_down(engine, "records")
    up = [record(f"{number:02}") for number in range(50)]
    results = await asyncio.gather(
        write(engine, rows_of(("up", up))), write(engine, rows_of(("down", up[::-1])))
    )
    assert sorted(results) == ["d" * 50, "w" * 50]


async def slow_down(engine: AsyncEngine, table: str) -> None:
    """Have every row take a while, so that writes that begin together run together."""
    await execute(
        engine,
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END'",
        f"CREATE TRIGGER dawdle BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION dawdle()",
    )


async def test_a_key_committed_meanwhile_is_found(engine: AsyncEngine) -> None:
    # Another session holds the key in an open transaction; our INSERT waits for its commit.
    first = rows_of(("s", [record("a")]))
    async with engine.connect() as other:
        other = await other.execution_options(isolation_level="READ COMMITTED")
        async with other.begin():
            await other.execute(INSERT_ROWS, arrays(first, [0], batch_info()))
            waiting = asyncio.create_task(write(engine, rows_of(("t", [record("a")]))))
            await expect_waiting_writes(engine, 1)
    assert await waiting == "d"


async def test_looking_first_gives_the_same_verdicts(engine: AsyncEngine) -> None:
    rows = rows_of(("s", [record("a"), record("b"), record("b")]))
    await write(engine, rows_of(("s", [record("a")])))
    result = await write_batch(engine, rows, batch_info(), attempt=2)
    assert "".join(result.codes) == "wwd"


async def test_unbatched_gives_the_same_verdicts_one_commit_each(engine: AsyncEngine) -> None:
    statements = Statements(engine)
    rows = rows_of(("s", [record("a"), poison("b"), record("c"), record("c"), record("d", {})]))
    result = await write_unbatched(engine, rows)
    assert "".join(result.codes) == "wrwdw"
    assert statements.inserts == 4
    counted = await fetch(engine, "SELECT write_path, rows, batches FROM write_counts")
    assert counted == [("unbatched", 3, 3)]


async def test_no_schema_is_an_operators_matter(empty_database_url: str) -> None:
    engine = create_engine(empty_database_url, application_name="tests")
    with pytest.raises(DatabaseFailedError, match="db upgrade") as failed:
        await write(engine, rows_of(("s", [record("a")])))
    await engine.dispose()
    assert failed.value.failure.kind is FailureKind.OPERATOR


async def test_errors_never_carry_what_was_to_be_stored(engine: AsyncEngine) -> None:
    await execute(engine, "ALTER TABLE records ADD CHECK (payload ? 'absent')")
    secret = PreparedRecord("k", 1, '{"secret": "hunter2"}', bytes(32))
    result = await write_batch(engine, rows_of(("s", [secret])), batch_info())
    problem = result.problems[0]
    assert problem.sqlstate == "23514"
    assert "hunter2" not in problem.reason + problem.detail


async def test_what_is_not_stored_becomes_dead_letters(engine: AsyncEngine) -> None:
    await write(engine, rows_of(("s", [record("taken")])))
    nul = PreparedRecord("", 3, "a\0b\u00e9\U0001f600", b"", rejection="nul: in a value")
    records = [poison("bad"), record("taken", {"other": "é"}), nul, record("fine")]
    batch_id = uuid4()
    await write_batch(engine, rows_of(("t", records)), batch_info(batch_id))
    found = await fetch(
        engine,
        "SELECT idempotency_key, line, record, truncated, reason, detail, sqlstate, requester,"
        " status, attempts, batch_id FROM dead_letters ORDER BY line, reason",
    )
    refused = "refused by Postgres: UntranslatableCharacter"
    assert [row[:7] for row in found] == [
        ("taken", 1, '{"other": "\\u00e9"}', False, "conflict", OTHER_CONTENT[1], None),
        ("bad", 1, POISON, False, "refused_by_postgres", refused, "22P05"),
        (None, 3, "a\\u0000b\\u00e9\\ud83d\\ude00", False, "nul", "in a value", None),
    ]
    assert {row[7:] for row in found} == {("nobody", "open", 1, batch_id)}


async def test_a_repeat_is_the_same_letter_seen_again(engine: AsyncEngine) -> None:
    rows = rows_of(("s", [poison("bad"), poison("bad"), record("a"), record("a", {"x": 1})]))
    assert await write(engine, rows) == "rrwc"
    first = await fetch(engine, "SELECT id, first_seen, last_seen FROM dead_letters ORDER BY id")
    assert len(first) == 2
    assert await write(engine, rows) == "rrwc"
    again = await fetch(engine, "SELECT id, first_seen, last_seen FROM dead_letters ORDER BY id")
    assert [row[:2] for row in again] == [row[:2] for row in first]
    assert all(str(new[2]) > str(old[2]) for new, old in zip(again, first, strict=True))


async def test_a_record_refused_on_several_lines_is_one_letter(engine: AsyncEngine) -> None:
    others = [record("a", {"x": 1}, line=line) for line in (2, 3, 4)]
    assert await write(engine, rows_of(("s", [record("a"), *others]))) == "wccc"
    assert await fetch(engine, "SELECT idempotency_key, line FROM dead_letters") == [("a", 2)]


async def test_dead_letters_inserted_at_once_do_not_deadlock(engine: AsyncEngine) -> None:
    await slow_down(engine, "dead_letters")
    rejected = [
        PreparedRecord("", line, f"text {line}", b"", rejection="not_json: x") for line in range(50)
    ]
    results = await asyncio.gather(
        *(write(engine, rows_of(("s", order))) for order in (rejected, rejected[::-1]))
    )
    assert results == ["r" * 50] * 2
    assert await scalar(engine, "SELECT count(*) FROM dead_letters") == 50


async def test_a_try_waits_for_its_turn_and_then_ends_in_time(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_writer, "LONGEST_TRY_SECONDS", 0.0)
    metrics = WorkerMetrics(Runtime.default().metric_meter)
    writer = batch_writer.BatchWriter(engine, Targets(), metrics, nullcontext, connections=1)
    async with locked_table(engine) as lock:
        writing = asyncio.create_task(writer.write_unbatched([submission("s", [record("a")])], 1))
        trying = asyncio.create_task(writer.try_target(RECORDS_TARGET))
        await expect_waiting_writes(engine, 1)
        assert not trying.done()
        await lock.commit()
    assert [answer.codes for answer in (await writing).in_order()] == ["w"]
    with pytest.raises(DatabaseFailedError, match="Postgres does not answer"):
        await trying
