"""Retries of dead letters, on a real Temporal server and a real Postgres."""

import asyncio
import logging
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.service import RPCError

from batching_demo.contracts.messages import Verdict
from batching_demo.contracts.names import batcher_workflow_id
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.contracts.retries import RetryInput, RetryResult
from batching_demo.database.dead_letters.queries import record_attempt
from batching_demo.operator.retries import RetryFailedError, RetryRequest, retry_dead_letter
from batching_demo.operator.start import start_batchers
from tests.support.database import execute, fetch
from tests.support.dead_letters import (
    BAD,
    SECRET,
    allow_bad,
    forbid_bad,
    letters,
    prepared,
    rejected,
    write,
)
from tests.support.loading import load
from tests.support.services import batcher_service, both_services
from tests.support.waiting import eventually, in_time

pytestmark = pytest.mark.as_writer

QUICK = BatcherSettings(linger_seconds=0.2)
RETRY_ID = RetryInput(dead_letter_id=1, attempt=2, linger_seconds=0.2).workflow_id


def retry(
    letter_id: int = 1, attempt: int = 2, *, key: str | None = None, edited: str = ""
) -> RetryRequest:
    return RetryRequest(RetryInput(letter_id, attempt, 0.2, key), edited.encode())


async def details(client: Client, workflow_id: str) -> str:
    """Ask a workflow what it is doing; fail as long as it has not started."""
    try:
        handle = client.get_workflow_handle(workflow_id)
        return str(await handle.query("__temporal_workflow_metadata"))
    except RPCError as error:
        raise AssertionError(workflow_id) from error


async def refused(engine: AsyncEngine) -> None:
    """Have letter 1, of a record that Postgres refuses until `allow_bad`."""
    await forbid_bad(engine)
    assert await write(engine, [prepared("k1", BAD, line=7)]) == "r"


async def test_once_the_cause_is_gone_the_record_is_stored_as_it_was(
    client: Client, engine: AsyncEngine, tmp_path: Path
) -> None:
    path = tmp_path / "bestellungen-ä.csv"
    path.write_text("id,name,state\n1,ok,\nß2,Zoë \\u00e9 😀,bad\n")
    await forbid_bad(engine)
    await start_batchers(client, 1, QUICK)
    async with both_services(client, engine):
        assert (await load(client, path, ["id"], records_per_workflow=5)).rejected == 1
        await allow_bad(engine)
        result = await retry_dead_letter(client, retry())
        assert (result.verdict, result.kept_as) == (Verdict.WRITTEN, None)
        # The content hash is what preparation makes of the same line.
        again = await load(client, path, ["id"], records_per_workflow=5, run_label="again")
        assert (again.duplicate, again.conflict) == (2, 0)
    stored = await fetch(
        engine,
        "SELECT idempotency_key, payload->>'name', source, line, run_label, write_path,"
        " submission_id FROM records WHERE line = 3",
    )
    name = "Zoë \\u00e9 😀"
    assert stored == [("ß2", name, path.name, 3, "first", "batched", "retry/1/2")]
    assert await letters(engine) == [(1, "refused_by_postgres", "retried", 2)]


async def test_refused_again_it_stays_open_and_makes_no_second_letter(
    client: Client, engine: AsyncEngine
) -> None:
    await forbid_bad(engine)
    text = '{"state": "bad",\r "name": "\\u00c9é\\ud83d\\ude00"}'
    await write(engine, [prepared("ключ", text)])
    before = await fetch(engine, "SELECT first_seen, requester, batch_id FROM dead_letters")
    await start_batchers(client, 1, QUICK)
    async with batcher_service(client, engine):
        for attempt in (2, 3):
            result = await retry_dead_letter(client, retry(attempt=attempt))
            assert (result.verdict, result.sqlstate) == (Verdict.REJECTED, "23514")
            assert result.kept_as == 1
            assert await letters(engine) == [(1, "refused_by_postgres", "open", attempt)]
    assert await fetch(engine, "SELECT first_seen, requester, batch_id FROM dead_letters") == before


async def test_a_conflict_is_stored_once_the_other_row_is_gone(
    client: Client, engine: AsyncEngine
) -> None:
    assert await write(engine, [prepared("k", '{"n": 1}'), prepared("k", '{"n": 2}')]) == "wc"
    await start_batchers(client, 1, QUICK)
    async with batcher_service(client, engine):
        assert (await retry_dead_letter(client, retry())).verdict is Verdict.CONFLICT
        await execute(engine, "DELETE FROM records")
        assert (await retry_dead_letter(client, retry(attempt=3))).verdict is Verdict.WRITTEN
    assert await fetch(engine, "SELECT payload->>'n' FROM records") == [("2",)]
    assert await letters(engine) == [(1, "conflict", "retried", 3)]


async def test_an_edited_record_that_is_refused_is_another_letter(
    client: Client, engine: AsyncEngine
) -> None:
    await refused(engine)
    await start_batchers(client, 1, QUICK)
    async with batcher_service(client, engine):
        result = await retry_dead_letter(client, retry(edited='{"state": "bad", "n": 2}'))
        assert (result.verdict, result.kept_as) == (Verdict.REJECTED, 2)
        same = await retry_dead_letter(client, retry(attempt=3, edited='{"state": "bad", "n": 2}'))
        assert same.kept_as == 2
        result = await retry_dead_letter(client, retry(attempt=4, edited='{"state": "good"}'))
        assert result.verdict is Verdict.WRITTEN
    assert await letters(engine) == [
        (1, "refused_by_postgres", "retried", 4),
        (2, "refused_by_postgres", "open", 1),
    ]
    found = await fetch(engine, "SELECT idempotency_key, source, line, payload FROM records")
    assert found == [("k1", "orders.ndjson", 7, {"state": "good"})]


async def test_a_letter_without_a_key_is_stored_under_the_one_it_is_given(
    client: Client, engine: AsyncEngine
) -> None:
    await write(engine, [rejected('{"id": null}', "key_null: key column 'id' is null")])
    await start_batchers(client, 1, QUICK)
    async with batcher_service(client, engine):
        with pytest.raises(RetryFailedError, match="dead letter 1 needs --key"):
            await retry_dead_letter(client, retry())
        # It had no verdict, so it is the same attempt still.
        assert (await retry_dead_letter(client, retry(key="given"))).verdict is Verdict.WRITTEN
    assert await fetch(engine, "SELECT idempotency_key FROM records") == [("given",)]
    assert await letters(engine) == [(1, "key_null", "retried", 2)]


async def test_one_attempt_runs_once_and_only_with_one_payload(
    client: Client, engine: AsyncEngine
) -> None:
    await refused(engine)
    await allow_bad(engine)
    await start_batchers(client, 1, BatcherSettings(linger_seconds=2))
    async with batcher_service(client, engine):
        both = [asyncio.create_task(retry_dead_letter(client, retry())) for _ in range(2)]
        await eventually(lambda: details(client, RETRY_ID))
        with pytest.raises(RetryFailedError, match="another payload or key"):
            await retry_dead_letter(client, retry(edited="{}"))
        first, second = await asyncio.gather(*both)
        assert first == second == await retry_dead_letter(client, retry())
    assert first.verdict is Verdict.WRITTEN
    assert (await letters(engine))[0][3] == 2


async def test_a_terminated_attempt_is_made_again(client: Client, engine: AsyncEngine) -> None:
    await refused(engine)
    await allow_bad(engine)
    lost = asyncio.create_task(retry_dead_letter(client, retry()))

    async def terminate() -> None:
        try:
            await client.get_workflow_handle(RETRY_ID).terminate()
        except RPCError as error:
            raise AssertionError from error

    await eventually(terminate)
    with pytest.raises(RetryFailedError, match="retry-1-2 ended without a verdict"):
        await lost
    await start_batchers(client, 1, QUICK)
    async with batcher_service(client, engine):
        assert (await retry_dead_letter(client, retry())).verdict is Verdict.WRITTEN


async def test_it_waits_for_a_batcher_and_outlives_workers(
    client: Client, engine: AsyncEngine
) -> None:
    await refused(engine)
    await allow_bad(engine)
    waiting = asyncio.create_task(retry_dead_letter(client, retry()))
    async with batcher_service(client, engine):

        async def says_so() -> None:
            said = await details(client, RETRY_ID)
            assert batcher_workflow_id(0) in said
            assert "batching-demo batcher start" in said

        await eventually(says_so)
    await start_batchers(client, 1, QUICK)
    async with batcher_service(client, engine):
        assert (await in_time(waiting)).verdict is Verdict.WRITTEN
    assert await letters(engine) == [(1, "refused_by_postgres", "retried", 2)]


async def test_noting_an_attempt_twice_changes_nothing_more(engine: AsyncEngine) -> None:
    await refused(engine)
    for attempt in (2, 2, 3, 3, 2):
        await record_attempt(engine, 1, attempt, is_done=False)
    assert await letters(engine) == [(1, "refused_by_postgres", "open", 3)]
    for _ in range(2):
        await record_attempt(engine, 1, 4, is_done=True)
    assert await letters(engine) == [(1, "refused_by_postgres", "retried", 4)]


async def test_a_settled_letter_whose_record_is_refused_again(engine: AsyncEngine) -> None:
    await refused(engine)
    await write(engine, [rejected("text", "invalid_json: x")])
    await execute(engine, "UPDATE dead_letters SET status = 'retried' WHERE id = 1")
    await execute(engine, "UPDATE dead_letters SET status = 'discarded' WHERE id = 2")
    assert await write(engine, [prepared("k1", BAD), rejected("text", "invalid_json: x")]) == "rr"
    assert [row[2] for row in await letters(engine)] == ["open", "discarded"]


async def test_nothing_of_a_record_reaches_logs_or_failures(
    client: Client, engine: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await refused(engine)
    await write(engine, [rejected(f'{{"a": {SECRET}', "invalid_json: x", line=2)])
    await start_batchers(client, 1, QUICK)
    failures: list[RetryFailedError] = []
    async with batcher_service(client, engine):
        result: RetryResult = await retry_dead_letter(client, retry())
        for refusal in (retry(2, key="k2"), retry(2, key="k2", edited=f'{{"a": {SECRET}}}')):
            with pytest.raises(RetryFailedError) as failed:
                await retry_dead_letter(client, refusal)
            failures.append(failed.value)
            history = await client.get_workflow_handle(
                RetryInput(2, 2, 0.2).workflow_id
            ).fetch_history()
            assert "Failure" in history.to_json()
            assert SECRET not in history.to_json()
    assert result.verdict is Verdict.REJECTED
    assert SECRET not in repr(result) + repr(failures) + caplog.text
    assert "letter 1 attempt 2: rejected" in caplog.text
