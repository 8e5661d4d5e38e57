"""Who is to blame for a failed write: found by trying, on a real Postgres, on every path."""

from collections.abc import Container
from random import Random

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.batcher_service.batcher.workflow import LONGEST_ACTIVITY
from batching_demo.contracts.batches import REFUSED
from batching_demo.contracts.names import WritePath
from batching_demo.core.health import Health
from batching_demo.database.errors import DatabaseFailedError, FailureKind
from batching_demo.database.writing import inserter
from batching_demo.database.writing.inserter import (
    ATTEMPTS_BEFORE_BLAME,
    ATTEMPTS_BEFORE_BLAME_AFTER_WAITING,
)
from batching_demo.database.writing.row_writer import WriteResult
from batching_demo.database.writing.rows import Rows
from batching_demo.database.writing.writes import write_batch
from tests.support.database import execute, fetch, scalar
from tests.support.records import batch_info, record
from tests.support.roles import ROLES
from tests.support.writing import (
    PATHS,
    Statements,
    create_trigger,
    most_statements,
    obey_policy,
    rows_of,
    write_by,
)

pytestmark = pytest.mark.as_writer

DOES = {
    "45035": "RAISE EXCEPTION 'no' USING ERRCODE = '45035'",
    "P0002": "SELECT relname INTO STRICT r FROM pg_class WHERE false",
    "P0004": "ASSERT false",
    "42703": "PERFORM NEW.nosuch",
    "42P01": "INSERT INTO absent VALUES (1)",
    "3F000": "CREATE TABLE absent.t ()",
    "42501": "RAISE insufficient_privilege",
    "28P01": "RAISE invalid_password",
    "0A000": "RAISE feature_not_supported",
    "2F005": "LOOP EXIT; END LOOP; r := 1 / 0",
}
"""What a trigger does for some records, by the SQLSTATE that comes of it."""
ONE, ALL = "NEW.idempotency_key = 'b'", "true"
BAD = "NEW.payload->>'bad' IS NOT NULL"
SERVERS = ["40001", "40P01", "55P03", "57014", "57P01", "25P02", "XX000"]
"""Codes of the server's own."""
AGAIN = ATTEMPTS_BEFORE_BLAME + 1
LAST = ATTEMPTS_BEFORE_BLAME_AFTER_WAITING + 1


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nobody wait before a record is tried for the last time."""
    monkeypatch.setattr(inserter, "PAUSE_SECONDS", 0.0)


async def trip(engine: AsyncEngine, sqlstate: str, when: str, moment: str = "BEFORE") -> None:
    """Have a trigger fail with an SQLSTATE for some records."""
    does = DOES.get(sqlstate, f"RAISE EXCEPTION 'no' USING ERRCODE = '{sqlstate}'")
    body = f"DECLARE r name; BEGIN IF {when} THEN {does}; END IF; RETURN NEW; END"
    if sqlstate == "2F005":
        body = f"BEGIN IF NOT ({when}) THEN RETURN NEW; END IF; END"
    await create_trigger(engine, body, f"{moment} INSERT")


def three(name: str = "s") -> Rows:
    return rows_of((name, [record("a"), record("b"), record("c")]))


def a_hundred(name: str, bad: Container[int]) -> Rows:
    """A hundred records; the trigger of `BAD` refuses those at some positions."""
    made = [record(f"{name}-{n:02}", {"bad": 1} if n in bad else None) for n in range(100)]
    return rows_of((name, made))


async def expect_failure(
    path: WritePath, engine: AsyncEngine, rows: Rows, sqlstate: str, *, attempt: int = 1
) -> FailureKind:
    """Expect a write to fail without a verdict, and return who has to act."""
    with pytest.raises(DatabaseFailedError) as failed:
        await write_by(path, engine, rows, attempt=attempt)
    assert failed.value.failure.sqlstate == sqlstate
    assert await scalar(engine, "SELECT count(*) FROM dead_letters") == 0
    return failed.value.failure.kind


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("sqlstate", list(DOES))
async def test_a_record_is_to_blame_if_others_pass(
    engine: AsyncEngine, path: WritePath, sqlstate: str
) -> None:
    await trip(engine, sqlstate, ONE)
    result = await write_by(path, engine, three())
    assert result.codes == ["w", "r", "w"]
    problem = result.problems[1]
    assert (problem.reason, problem.sqlstate) == (REFUSED, sqlstate)
    assert problem.detail.startswith("refused by Postgres: ")
    assert await scalar(engine, "SELECT sqlstate FROM dead_letters") == sqlstate


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("sqlstate", ["42703", "45035"])
@pytest.mark.parametrize("moment", ["BEFORE", "AFTER"])
async def test_nobody_is_to_blame_if_no_record_passes(
    engine: AsyncEngine, path: WritePath, sqlstate: str, moment: str
) -> None:
    assert (await write_by(path, engine, rows_of(("r", [record("old")])))).codes == ["w"]
    await trip(engine, sqlstate, ALL, moment)
    for rows in (three(), rows_of(("t", [record("alone")]))):
        assert await expect_failure(path, engine, rows, sqlstate) is FailureKind.OPERATOR


@pytest.mark.parametrize("path", PATHS)
async def test_records_are_to_blame_for_codes_of_their_own_even_if_none_passes(
    engine: AsyncEngine, path: WritePath
) -> None:
    await trip(engine, "P0001", ALL)
    assert (await write_by(path, engine, three())).codes == ["r", "r", "r"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("sqlstate", ["42501", "40001"])
async def test_a_record_alone_is_compared_with_one_that_is_stored(
    engine: AsyncEngine, path: WritePath, sqlstate: str
) -> None:
    await trip(engine, sqlstate, ONE)
    alone = rows_of(("s", [record("b")]))
    await expect_failure(path, engine, alone, sqlstate, attempt=AGAIN)
    assert (await write_by(path, engine, rows_of(("t", [record("a")])))).codes == ["w"]
    before = await fetch(engine, "SELECT * FROM records")
    assert (await write_by(path, engine, alone, attempt=AGAIN)).codes == ["r"]
    # What it was compared with was a copy, and is gone.
    assert await fetch(engine, "SELECT * FROM records") == before


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("policy", ["USING ({})", "USING ({}) WITH CHECK (true)"])
async def test_a_record_that_a_policy_forbids_is_rejected(
    engine: AsyncEngine, path: WritePath, policy: str
) -> None:
    await obey_policy(engine, policy.format("payload->>'tenant' = 'ours'"))
    tenants = ("ours", "theirs", "ours")
    made = [record(key, {"tenant": tenant}) for key, tenant in zip("abc", tenants, strict=True)]
    result = await write_by(path, engine, rows_of(("s", made)))
    assert result.codes == ["w", "r", "w"]
    assert result.problems[1].sqlstate == "42501"


@pytest.mark.parametrize("path", PATHS)
async def test_a_privilege_that_is_missing_costs_two_statements(
    engine: AsyncEngine, path: WritePath
) -> None:
    await obey_policy(engine, "USING (true)", f"REVOKE INSERT ON records FROM {ROLES.writer}")
    statements = Statements(engine)
    rows = rows_of(("s", [record(f"{number}") for number in range(100)]))
    assert await expect_failure(path, engine, rows, "42501") is FailureKind.OPERATOR
    assert statements.inserts == 2


@pytest.mark.parametrize(
    ("path", "sqlstate"),
    [(WritePath.UNBATCHED, SERVERS[0]), *((WritePath.BATCHED, code) for code in SERVERS)],
)
async def test_the_server_is_to_blame_by_its_codes_until_it_has_failed_again_and_again(
    engine: AsyncEngine, path: WritePath, sqlstate: str
) -> None:
    await trip(engine, sqlstate, ONE)
    for attempt in range(1, AGAIN):
        kind = await expect_failure(path, engine, three(), sqlstate, attempt=attempt)
        assert kind is FailureKind.OUTAGE
    result = await write_by(path, engine, three(), attempt=AGAIN)
    assert result.codes == ["w", "r", "w"]
    assert result.problems[1].sqlstate == sqlstate


@pytest.mark.parametrize("path", PATHS)
async def test_no_record_is_to_blame_for_a_full_disk(engine: AsyncEngine, path: WritePath) -> None:
    await trip(engine, "53100", ONE)
    last = ATTEMPTS_BEFORE_BLAME_AFTER_WAITING + 1
    kind = await expect_failure(path, engine, three(), "53100", attempt=last)
    assert kind is FailureKind.OUTAGE


@pytest.mark.parametrize("path", PATHS)
async def test_the_server_is_to_blame_if_no_record_passes(
    engine: AsyncEngine, path: WritePath
) -> None:
    await trip(engine, "40001", ALL)
    kind = await expect_failure(path, engine, three(), "40001", attempt=AGAIN)
    assert kind is FailureKind.OUTAGE


@pytest.mark.parametrize("path", PATHS)
async def test_a_record_that_passes_in_the_end_is_written(
    engine: AsyncEngine, path: WritePath
) -> None:
    await execute(engine, "CREATE SEQUENCE tries", "GRANT ALL ON SEQUENCE tries TO public")
    failures = 1 if path is WritePath.UNBATCHED else 2
    await trip(engine, "40P01", f"{ONE} AND nextval('tries') <= {failures}")
    assert (await write_by(path, engine, three(), attempt=AGAIN)).codes == ["w", "w", "w"]
    assert await scalar(engine, "SELECT last_value FROM tries") == failures + 1


@pytest.mark.parametrize("path", PATHS)
async def test_a_record_that_fails_after_a_wait_is_given_more_time(
    engine: AsyncEngine, path: WritePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inserter, "WAIT_SECONDS", 0.0)
    await trip(engine, "55P03", ONE)
    attempts = AGAIN, ATTEMPTS_BEFORE_BLAME_AFTER_WAITING
    for attempt in attempts:
        await expect_failure(path, engine, three(), "55P03", attempt=attempt)
    # By now the others are stored.
    last = await write_by(path, engine, three(), attempt=LAST)
    assert last.codes == ["w", "r", "w"]
    assert last.problems[1].sqlstate == "55P03"


class Clock:
    """A clock on which only statements that fail take time."""

    def __init__(self, engine: AsyncEngine, seconds: float) -> None:
        self.now = 0.0
        self._seconds = seconds
        event.listen(engine.sync_engine, "handle_error", self._pass)

    def monotonic(self) -> float:
        return self.now

    def _pass(self, _context: object) -> None:
        self.now += self._seconds


@pytest.mark.parametrize(("sqlstate", "seconds"), [("55P03", 10.0), ("57014", 30.0)])
@pytest.mark.parametrize("bad", [0, 99])
async def test_a_record_that_always_waits_costs_its_neighbours_no_verdict(
    engine: AsyncEngine,
    sqlstate: str,
    seconds: float,
    bad: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, health = Clock(engine, seconds), Health()
    monkeypatch.setattr(inserter, "time", clock)
    await trip(engine, sqlstate, BAD)

    async def write(attempt: int) -> WriteResult:
        return await write_batch(
            engine,
            a_hundred("s", {bad}),
            batch_info(),
            attempt=attempt,
            rows_per_statement=health.rows_per_statement(100),
        )

    for attempt in range(1, LAST):
        began = clock.now
        with pytest.raises(DatabaseFailedError) as failed:
            await write(attempt)
        health.failed("", failed.value.failure.sqlstate, 0.0)
        assert clock.now - began < LONGEST_ACTIVITY.total_seconds()
    result = await write(LAST)
    assert [at for at, code in enumerate(result.codes) if code != "w"] == [bad]
    assert result.problems[bad].sqlstate == sqlstate


@pytest.mark.parametrize("sqlstate", ["P0001", "45035", "40001"])
@pytest.mark.parametrize("bad", [1, 20, 100])
async def test_the_statements_of_a_write_are_bounded(
    engine: AsyncEngine, sqlstate: str, bad: int
) -> None:
    await trip(engine, sqlstate, BAD)
    await write_by(WritePath.BATCHED, engine, rows_of(("old", [record("old")])))
    statements = Statements(engine)
    for seed in range(2):
        chosen = Random(f"{seed} {bad}").sample(range(100), bad)
        rows = a_hundred(f"s{seed}", chosen)
        statements.sent.clear()
        result = await write_by(WritePath.BATCHED, engine, rows, attempt=AGAIN)
        assert [at for at, code in enumerate(result.codes) if code == "r"] == sorted(chosen)
        assert len(statements.sent) <= most_statements(rows, refused=bad)


@pytest.mark.parametrize(("sqlstate", "most"), [("P0001", 14), ("45035", 17)])
async def test_one_bad_record_of_a_hundred_costs(
    engine: AsyncEngine, sqlstate: str, most: int
) -> None:
    await trip(engine, sqlstate, BAD)
    statements = Statements(engine)
    for bad in range(0, 100, 7):
        statements.sent.clear()
        result = await write_by(WritePath.BATCHED, engine, a_hundred(f"s{bad}", {bad}))
        assert result.codes.index("r") == bad
        assert statements.inserts <= most


@pytest.mark.parametrize("path", PATHS)
async def test_no_record_is_to_blame_for_a_stale_plan(engine: AsyncEngine, path: WritePath) -> None:
    assert (await write_by(path, engine, rows_of(("s", [record("a")])))).codes == ["w"]
    await execute(engine, "ALTER TABLE records ALTER idempotency_key TYPE varchar(600)")
    assert (await write_by(path, engine, rows_of(("t", [record("b")])))).codes == ["w"]


async def test_a_dead_letter_that_is_refused_with_the_code_of_a_warning(
    engine: AsyncEngine,
) -> None:
    await execute(
        engine,
        "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '01000'; END $$",
        "CREATE TRIGGER meddle BEFORE INSERT ON dead_letters"
        " FOR EACH ROW EXECUTE FUNCTION meddle()",
    )
    await write_by(WritePath.BATCHED, engine, rows_of(("s", [record("a", {"n": 1})])))
    with pytest.raises(DatabaseFailedError) as failed:
        await write_by(WritePath.BATCHED, engine, rows_of(("t", [record("a", {"n": 2})])))
    assert failed.value.failure.sqlstate == "01000"
