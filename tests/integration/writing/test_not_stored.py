"""Records that Postgres takes and does not store, or not under their keys: decided, not awaited."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.contracts.batches import NOT_STORED
from batching_demo.contracts.names import WritePath
from batching_demo.database.targets.records import RecordsStatements as Sender
from batching_demo.database.writing.row_writer import OTHER_KEY, TAKEN
from tests.support.database import execute, fetch, scalar
from tests.support.records import record
from tests.support.writing import PATHS, Statements, create_trigger, obey_policy, rows_of, write_by

pytestmark = pytest.mark.as_writer

KEYS = "SELECT idempotency_key FROM records ORDER BY 1"
SWALLOW = "BEGIN IF NEW.payload->>'test' = 'true' THEN RETURN NULL; END IF; RETURN NEW; END"
LOWER = "BEGIN NEW.idempotency_key = lower(NEW.idempotency_key); RETURN NEW; END"


@pytest.mark.parametrize("path", PATHS)
async def test_a_swallowed_record_is_rejected_after_one_repetition(
    engine: AsyncEngine, path: WritePath
) -> None:
    await create_trigger(engine, SWALLOW)
    statements = Statements(engine)
    rows = rows_of(("s", [record("a"), record("b", {"test": "true"}), record("c")]))
    result = await write_by(path, engine, rows)
    assert result.codes == ["w", "r", "w"]
    assert (result.problems[1].reason, result.problems[1].detail) == (NOT_STORED, TAKEN)
    assert statements.inserts == (2 if path is WritePath.BATCHED else 4)
    # One look-up of what is missing after each INSERT, and one of what had been inserted.
    assert statements.sent.count("SELECT records.idempotency_key, records.content_hash,") == 3
    letters = "SELECT idempotency_key, reason, sqlstate FROM dead_letters"
    assert await fetch(engine, letters) == [("b", NOT_STORED, None)]
    assert (await write_by(path, engine, rows, attempt=2)).codes == ["w", "r", "w"]
    assert await scalar(engine, "SELECT count(*) FROM dead_letters") == 1


@pytest.mark.parametrize("path", PATHS)
async def test_each_record_of_a_swallowed_key_is_tried(
    engine: AsyncEngine, path: WritePath
) -> None:
    await create_trigger(engine, SWALLOW)
    statements = Statements(engine)
    swallowed = [record("k", {"test": "true", "n": number}) for number in range(5)]
    rows = rows_of(("s", [*swallowed, record("k"), record("k"), record("other")]))
    assert (await write_by(path, engine, rows)).codes == [*"rrrrr", *"wdw"]
    # One for each record of the key, one more for the repetition, one more for the other key.
    assert statements.inserts <= 8


@pytest.mark.parametrize("path", PATHS)
async def test_a_record_whose_key_is_changed_is_rejected(
    engine: AsyncEngine, path: WritePath
) -> None:
    await create_trigger(engine, LOWER)
    rows = rows_of(("s", [record("A-1"), record("B-2"), record("c-3")]))
    result = await write_by(path, engine, rows)
    assert result.codes == ["r", "r", "w"]
    assert {problem.detail for problem in result.problems.values()} == {OTHER_KEY}
    assert (await write_by(path, engine, rows, attempt=2)).codes == ["r", "r", "w"]
    await execute(engine, "DROP TRIGGER meddle ON records")
    assert await fetch(engine, KEYS) == [("a-1",), ("b-2",), ("c-3",)]


@pytest.mark.parametrize("path", PATHS)
async def test_a_key_that_is_changed_to_that_of_a_neighbour_takes_nobodys_place(
    engine: AsyncEngine, path: WritePath
) -> None:
    await create_trigger(engine, LOWER)
    result = await write_by(path, engine, rows_of(("s", [record("a"), record("A"), record("b")])))
    # "A" comes first by its key, and so its content is stored as "a".
    assert result.codes == ["c", "r", "w"]
    assert result.problems[1].detail == OTHER_KEY
    assert await scalar(engine, "SELECT payload FROM records WHERE position = 1") == {"key": "A"}


@pytest.mark.parametrize("path", PATHS)
async def test_a_row_that_a_policy_hides_is_not_awaited(
    engine: AsyncEngine, path: WritePath
) -> None:
    assert (await write_by(path, engine, rows_of(("s", [record("taken")])))).codes == ["w"]
    await obey_policy(engine, "USING (submission_id <> 's') WITH CHECK (true)")
    rows = rows_of(("t", [record("free"), record("taken")]))
    result = await write_by(path, engine, rows)
    assert result.codes == ["w", "r"]
    assert result.problems[1].detail == TAKEN
    assert await scalar(engine, "SELECT count(*) FROM records WHERE submission_id = 't'") == 1


@pytest.mark.parametrize("path", PATHS)
async def test_a_row_that_is_deleted_before_the_look_up_is_inserted_again(
    engine: AsyncEngine, path: WritePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write_by(path, engine, rows_of(("s", [record("a"), record("b")])))
    look_up = Sender.look_up

    async def late(sender: Sender, rows: list[int]) -> object:
        await execute(engine, "DELETE FROM records WHERE submission_id = 's'")
        return await look_up(sender, rows)

    monkeypatch.setattr(Sender, "look_up", late)
    result = await write_by(path, engine, rows_of(("t", [record("a"), record("b")])))
    assert result.codes == ["w", "w"]
    assert await fetch(engine, KEYS) == [("a",), ("b",)]
