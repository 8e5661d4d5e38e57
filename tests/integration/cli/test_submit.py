"""`batching-demo submit` on real servers: files without workflows."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.cli.submitting import submit
from batching_demo.contracts.direct import WRITE_RECORDS
from batching_demo.contracts.operations import BatcherSettings
from tests.support.commands import aside, assert_one_line, said
from tests.support.database import fetch, rows
from tests.support.processes import finish
from tests.support.root import ROOT
from tests.support.services import batcher_service
from tests.support.shapes import parsed
from tests.support.waiting import eventually, in_time

pytestmark = pytest.mark.usefixtures("on_servers")
SOON = BatcherSettings(linger_seconds=0.2)
LATE = BatcherSettings(linger_seconds=600)


def counts(result: Result) -> dict[str, int]:
    """Return the counts that are not 0."""
    document = parsed("submit", result.stdout)
    assert document.pop("seconds") > 0
    return {name: number for name, number in document.items() if number}


async def test_records_of_files_get_their_verdicts_and_the_same_ones_again(
    client: Client, engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submit, "RECORDS_PER_REQUEST", 3)
    orders, items = tmp_path / "orders.ndjson", tmp_path / "items.csv"
    bad = f'{{"id": 8, "text": "{"x" * 300_000}"}}\n'
    orders.write_text('{"id": 1}\n\n{"id": 1}\n{"id": 1, "x": 1}\n{"id": null}\n{"id": 5\n' + bad)
    items.write_text("id,item\n6,apple\n7\n")
    arguments = ("submit", str(orders), str(items), "--key", "id", "--json")
    async with batcher_service(client, engine, SOON):
        first, again = await aside(*arguments), await aside(*arguments)
    expected = {"read": 8, "written": 2, "duplicate": 1, "conflict": 1, "rejected": 4}
    assert (first.exit_code, said(first)) == (3, []), first.output
    assert counts(first) == counts(again) == {**expected, "requests": 4}
    assert again.exit_code == 3
    stored = "SELECT source, line FROM records ORDER BY source, line"
    assert await fetch(engine, stored) == [("items.csv", 2), ("orders.ndjson", 1)]
    letters = "SELECT source, line, reason, truncated FROM dead_letters ORDER BY source, line"
    assert await fetch(engine, letters) == [
        ("items.csv", 3, "field_count", False),
        ("orders.ndjson", 4, "conflict", False),
        ("orders.ndjson", 5, "key_null", False),
        ("orders.ndjson", 6, "invalid_json", False),
        ("orders.ndjson", 7, "too_large", True),
    ]


async def test_an_empty_file_needs_no_worker(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.write_text("id\n")
    result = await aside("submit", str(path))
    assert (result.exit_code, result.stdout) == (0, "0 records: nothing to do\n")


async def test_an_interrupted_run_prints_what_is_known_and_goes_on_later(
    client: Client, engine: AsyncEngine, tmp_path: Path
) -> None:
    content = '{"id": 1}\n{"id": 2}\n'
    command = (sys.executable, "-m", "batching_demo", "submit", "-", "--format", "ndjson")
    async with batcher_service(client, engine, LATE):
        process = await asyncio.create_subprocess_exec(
            *command,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdin
        process.stdin.write(content.encode())
        process.stdin.close()

        async def is_sent() -> None:
            assert (await client.count_activities(f"ActivityType = '{WRITE_RECORDS}'")).count

        await eventually(is_sent)
        process.send_signal(signal.SIGINT)
        code, output, errors = await in_time(finish(process))
    assert (code, output.splitlines()[1:]) == (
        130,
        [
            "2 records: 0 written, 0 duplicate, 0 conflict, 0 rejected, 0 already done",
            "no verdict yet for 2 records",
        ],
    ), errors
    assert "the same command gets the verdicts of all 2 records" in errors

    # The worker has written what waited before it ended.
    assert await rows(engine) == 2
    path = tmp_path / "same.ndjson"
    path.write_text(content)
    async with batcher_service(client, engine, LATE):
        again = await aside("submit", str(path), "--json")
    assert counts(again) == {"read": 2, "written": 2, "requests": 1}


async def test_a_request_that_fails_is_named(
    client: Client, engine: AsyncEngine, tmp_path: Path
) -> None:
    path = tmp_path / "one.ndjson"
    path.write_text('{"id": 1}\n')
    async with batcher_service(client, engine, LATE):
        submitting = asyncio.create_task(aside("submit", str(path), "--quiet"))

        async def terminate() -> None:
            activities = client.list_activities(f"ActivityType = '{WRITE_RECORDS}'")
            found = [one.activity_id async for one in activities]
            assert found
            await client.get_activity_handle(found[0]).terminate(reason="by hand")

        await eventually(terminate)
        result = await in_time(submitting)
    assert_one_line(result, 1, "direct-", "by hand")
    assert "no verdict yet for 1 record" in result.stdout
