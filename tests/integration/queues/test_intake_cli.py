"""`batching-demo intake`: a worker as a process of its own, and what its commands say."""

import signal
import sys
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.devstack.ports import find_free_port
from batching_demo.queue_servers.stream_address import StreamAddress
from tests.support.commands import aside, assert_one_line, run
from tests.support.database import expect_rows, scalar
from tests.support.intake import expect_empty
from tests.support.processes import start_process
from tests.support.queues import client_of
from tests.support.scraping import expect_ready, scrape, total
from tests.support.shapes import parsed
from tests.support.waiting import eventually

NOWHERE = "redis://me:hunter2@127.0.0.1:1/0/orders"


async def test_a_file_goes_through_a_stream_into_the_database(
    engine: AsyncEngine, database_url: str, stream: StreamAddress, tmp_path: Path
) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("id,name\n" + "".join(f"{number},n\n" for number in range(1_200)))
    sent = await aside("intake", "send", str(file), "--to", str(stream), "--quiet")
    assert (sent.exit_code, sent.stdout) == (0, "1,200 messages sent\n")
    waiting = await aside("intake", "status", "--from", str(stream), "--json")
    assert parsed("intake status", waiting.stdout)["length"] == 1_200

    metrics = f"127.0.0.1:{find_free_port()}"
    arguments = ("--key", "id", "--linger", "0", "--metrics-bind", metrics)
    process = await start_process(
        {
            "DATABASE_URL": database_url,
            "XDG_STATE_HOME": str(tmp_path),
            "BATCHING_DEMO_INTAKE_FROM": str(stream),
        },
        *("-m", "batching_demo", "intake", "worker", *arguments),
    )
    try:
        await expect_ready(metrics)
        await expect_rows(engine, 1_200)
        await expect_empty(stream)
        status = await aside("intake", "status", "--from", str(stream))
        assert [line.split()[:2] for line in status.stdout.splitlines()[:2]] == [
            ["length", "0"],
            ["pending", "0"],
        ]
        assert "0 pending, idle for" in status.stdout

        async def check() -> None:
            found = await scrape(metrics)
            assert total(found, "batching_queue_up", queue=stream.queue) == 1
            assert total(found, "batching_queue_length", queue=stream.queue) <= 1_200
            assert total(found, "batching_queue_oldest_age_seconds", queue=stream.queue) < 3_600
            assert total(found, "batching_records_total", write_path="queued") == 1_200

        await eventually(check)
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = await process.communicate()
    assert process.returncode == 0, output
    assert b"Traceback" not in output
    # It has left the group.
    left = await aside("intake", "status", "--from", str(stream), "--json")
    assert parsed("intake status", left.stdout)["consumers"] == []
    assert await scalar(engine, "SELECT min(idempotency_key) FROM records") == "0"
    assert await scalar(engine, "SELECT payload->>'name' FROM records LIMIT 1") == "n"


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (("worker", "--from", "redis://me:hunter2@host/orders"), 2, "number of the database"),
        (("worker", "--from", NOWHERE, "--keep", "--delete"), 2, "--keep and --delete"),
        (("worker", "--from", NOWHERE, "--target", "other"), 2, "nothing declares a target other"),
        (("worker", "--from", NOWHERE, "--max-deliveries", "3"), 2, "--max-deliveries"),
        (("status", "--from", NOWHERE), 1, "redis://127.0.0.1:1/0/orders: the server does not"),
        (("status", "--from", "redis+sentinel://host/0/s"), 2, "Sentinel"),
        (("send", "--to", NOWHERE, "--quiet"), 1, "redis://127.0.0.1:1/0/orders: the server does"),
    ],
)
def test_errors_are_one_line_without_secrets(
    arguments: tuple[str, ...], exit_code: int, said: str
) -> None:
    assert_one_line(run("intake", *arguments), exit_code, said)


@pytest.mark.parametrize("command", [("worker", "--from"), ("send", "--to"), ("status", "--from")])
def test_without_the_extra_one_line_says_what_to_install(
    command: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "redis"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.setenv("DATABASE_URL", "postgresql://nowhere/none")
    result = run("intake", *command, "redis://host/0/orders")
    assert_one_line(result, 1, "pip install 'FOLDER_OF_THE_CLONE[redis]'")


async def test_a_record_that_is_no_object_is_sent_as_it_is(
    stream: StreamAddress, tmp_path: Path
) -> None:
    file = tmp_path / "orders.ndjson"
    file.write_text('{"id": 1}\nno JSON\n')
    result = await aside("intake", "send", str(file), "--to", str(stream), "--body", "order")
    assert result.exit_code == 0, result.output
    async with client_of(stream) as client:
        entries = await client.xrange(stream.stream)
    assert [fields for _, fields in entries] == [{b"order": b'{"id": 1}'}, {b"order": b"no JSON"}]
