"""`batching-demo dead-letters retry` on real servers."""

import asyncio
import json
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.service import RPCError

from batching_demo.batcher_service.batcher.workflow import BatcherWorkflow
from batching_demo.contracts.limits import MAX_RECORD_BYTES
from batching_demo.contracts.names import batcher_workflow_id
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.contracts.retries import RetryInput
from batching_demo.database.identity import read_identity
from batching_demo.operator.start import start_batchers
from tests.support.commands import assert_one_line, dead_letters, dead_letters_json, said
from tests.support.database import fetch, scalar
from tests.support.dead_letters import (
    BAD,
    SECRET,
    allow_bad,
    forbid_bad,
    letters,
    prepared,
    rejected,
    three,
    write,
)
from tests.support.processes import worker
from tests.support.services import batcher_service
from tests.support.waiting import eventually, in_time

pytestmark = [pytest.mark.as_writer, pytest.mark.usefixtures("on_servers")]
QUICK = BatcherSettings(linger_seconds=0.2)


async def started_retry(client: Client, engine: AsyncEngine) -> str:
    """Return the id of the first retry of letter 1, if it has started."""
    retry_id = RetryInput(1, 2, 0.2, database=await read_identity(engine)).workflow_id
    try:
        await client.get_workflow_handle(retry_id).describe()
    except RPCError as error:
        raise AssertionError from error
    return retry_id


async def stored(engine: AsyncEngine) -> list[tuple[object, ...]]:
    return await fetch(engine, "SELECT idempotency_key, payload FROM records ORDER BY id")


class TestRefusals:
    async def test_options_for_one_letter(self, engine: AsyncEngine) -> None:
        await three(engine)
        for arguments in (("1", "2"), ("--reason", "invalid_json")):
            result = await dead_letters("retry", *arguments, "--key", "k")
            assert_one_line(result, 2, "for one dead letter")

    async def test_a_letter_that_needs_something(self, engine: AsyncEngine) -> None:
        await three(engine)
        await write(engine, [rejected('{"a": 1', "too_large: truncated", key="large")])
        await write(engine, [rejected('{"a": null}', "key_null: null", line=9)])
        needs = {
            "2": "letter 2 needs --edit and --key: its record is no JSON object (invalid_json)",
            "4": "letter 4 needs --edit: only the beginning",
            "5": "letter 5 needs --key: it has no key",
        }
        for letter_id, words in needs.items():
            assert_one_line(await dead_letters("retry", letter_id), 2, words)
        result = await dead_letters("retry", "5", "--key", " ")
        assert_one_line(result, 2, "the key is empty or blank")
        result = await dead_letters("retry", "5", "--key", "k" * 513)
        assert_one_line(result, 2, "513 bytes, at most 512")

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b'\n{\n "a": 1,\n "b": hunter2}', "line 4, column 7: Expecting value (invalid_json)"),
            (b'{"a": 1} {}', "line 1, column 9: Extra data"),
            (b'\n{"a": "\\u0000"}', "line 2, column 8: a NUL character (nul)"),
            (b"[]", "JSON but not an object (not_an_object)"),
            (b'{"a": 1, "a": 2}', "two members of the same name (duplicate_name)"),
            (b" \n", "it is empty"),
            (b'{"a": "\xff"}', "not UTF-8 at byte 8"),
            (b" " * (MAX_RECORD_BYTES + 1), "at most 262144 bytes"),
        ],
    )
    async def test_an_edited_file_names_the_place(
        self, engine: AsyncEngine, tmp_path: Path, content: bytes, said: str
    ) -> None:
        await three(engine)
        path = tmp_path / "corrected.json"
        path.write_bytes(content)
        result = await dead_letters("retry", "1", "--edit", str(path))
        assert_one_line(result, 2, "--edit", f"corrected.json: {said}" if "line" in said else said)

    async def test_an_edited_file_that_is_absent(self) -> None:
        assert_one_line(await dead_letters("retry", "1", "--edit", "absent.json"), 2, "absent.json")


class TestRetry:
    async def test_refused_again_then_stored(self, client: Client, engine: AsyncEngine) -> None:
        await three(engine)
        await start_batchers(client, 1, QUICK)
        async with batcher_service(client, engine):
            result = await dead_letters("retry", "1")
            assert (result.exit_code, said(result)) == (3, [])
            assert result.stdout == (
                "dead letter 1: rejected: refused by Postgres: CheckViolation (SQLSTATE 23514);"
                " dead letter 1 stays open\n"
            )
            assert (await letters(engine))[0] == (1, "refused_by_postgres", "open", 2)
            await allow_bad(engine)
            result = await dead_letters("retry", "1")
            assert (result.exit_code, result.stdout) == (0, "dead letter 1: written\n")
            again = await dead_letters("retry", "1")
        assert again.exit_code == 0
        assert again.stdout == "dead letter 1: is retried already, its record is stored\n"
        assert await stored(engine) == [("k1", json.loads(BAD))]
        assert await letters(engine) == [
            (1, "refused_by_postgres", "retried", 3),
            (2, "invalid_json", "open", 1),
            (3, "field_count", "open", 1),
        ]

    async def test_many_share_a_batch_and_each_has_its_line(
        self, client: Client, engine: AsyncEngine
    ) -> None:
        await forbid_bad(engine)
        bad = [prepared(f"k{n}", f'{{"n": {n}, "state": "bad"}}', n) for n in range(30)]
        await write(engine, [*bad, rejected("x", "invalid_json: x")])
        await allow_bad(engine)
        await write(engine, [prepared("k7", '{"n": "other"}')])
        await start_batchers(client, 1, BatcherSettings(linger_seconds=2))
        async with batcher_service(client, engine):
            result = await dead_letters("retry", "--source", "orders.ndjson")
        assert result.exit_code == 3
        assert result.stdout.count(": written\n") == 29
        assert "the submitted record is dead letter 32; dead letter " in result.stdout
        assert "needs --edit and --key" in result.stderr
        last = result.stdout.splitlines()[-1]
        assert last.startswith("31 dead letters: ")
        for counted in ("29 written", "1 conflict", "1 refused"):
            assert counted in last
        assert await scalar(engine, "SELECT count(DISTINCT batch_id) < 6 FROM records") is True

    async def test_an_edited_payload_under_a_given_key(
        self, client: Client, engine: AsyncEngine, tmp_path: Path
    ) -> None:
        await three(engine)
        path = tmp_path / "corrected.json"
        path.write_text('\ufeff{\r\n "a": "Zoë", "n": 1.50\r\n}\r\n', encoding="utf-8")
        await start_batchers(client, 1, QUICK)
        async with batcher_service(client, engine):
            result = await dead_letters("retry", "2", "--edit", str(path), "--key", "given")
            assert (result.exit_code, result.stdout) == (0, "dead letter 2: written\n")
            path.write_text(f'{{"password": "{SECRET}"}}')
            result = await dead_letters("retry", "3", "--edit", str(path), "--key", "given")
        assert result.exit_code == 3
        assert "the key is stored with other content" in result.stdout
        assert "the submitted record is dead letter 4; dead letter 3 stays open" in result.stdout
        assert await stored(engine) == [("given", {"a": "Zoë", "n": 1.5})]
        assert SECRET not in result.output

    async def test_a_discarded_letter_can_be_retried_by_its_id(
        self, client: Client, engine: AsyncEngine
    ) -> None:
        await three(engine)
        await dead_letters("discard", "1")
        await start_batchers(client, 1, QUICK)
        async with batcher_service(client, engine):
            result = await dead_letters("retry", "--reason", "refused_by_postgres")
            assert result.stdout == "no open dead letters of reason refused_by_postgres\n"
            result = await dead_letters("retry", "1")
            assert result.stdout.endswith("dead letter 1 stays discarded\n")
            await allow_bad(engine)
            outcome = (await dead_letters_json("retry", "1"))["letters"][0]
        assert (outcome["id"], outcome["outcome"]) == (1, "written")
        assert (await letters(engine))[0] == (1, "refused_by_postgres", "retried", 3)

    async def test_it_says_what_is_missing_and_waits(
        self, client: Client, engine: AsyncEngine
    ) -> None:
        await three(engine)
        await allow_bad(engine)
        waiting = asyncio.create_task(dead_letters("retry", "1"))
        await eventually(lambda: started_retry(client, engine))
        async with batcher_service(client, engine):
            await start_batchers(client, 1, QUICK)
            result = await in_time(waiting)
        assert (result.exit_code, result.stdout) == (0, "dead letter 1: written\n")
        worker, batcher = said(result)
        assert "batching-demo batcher worker" in worker
        assert "batching-demo batcher start" in batcher

    async def test_a_killed_worker_costs_nothing(
        self, client: Client, engine: AsyncEngine, servers: dict[str, str]
    ) -> None:
        await three(engine)
        await allow_bad(engine)
        await start_batchers(client, 1, BatcherSettings(linger_seconds=5))

        async def submitted() -> None:
            handle = client.get_workflow_handle(batcher_workflow_id(0))
            assert (await handle.query(BatcherWorkflow.status)).buffered_records == 1

        async with worker(servers, "batcher_worker.py") as doomed:
            waiting = asyncio.create_task(dead_letters("retry", "1"))
            await eventually(submitted)
            doomed.kill()
        async with batcher_service(client, engine):
            result = await in_time(waiting)
        assert (result.exit_code, result.stdout) == (0, "dead letter 1: written\n")
        assert (await letters(engine))[0] == (1, "refused_by_postgres", "retried", 2)

    async def test_a_terminated_retry_has_failed(self, client: Client, engine: AsyncEngine) -> None:
        await three(engine)
        waiting = asyncio.create_task(dead_letters("retry", "1"))
        retry_id = await eventually(lambda: started_retry(client, engine))
        await client.get_workflow_handle(retry_id).terminate()
        result = await waiting
        assert_one_line(result, 1, f"dead letter 1: {retry_id} ended without a verdict")

    async def test_without_temporal(
        self, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await three(engine)
        monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
        assert_one_line(await dead_letters("retry", "1"), 1, "Temporal", "TEMPORAL_ADDRESS")
        assert (await dead_letters("list")).exit_code == 0
