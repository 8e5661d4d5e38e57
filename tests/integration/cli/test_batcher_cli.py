"""`batching-demo batcher ...` as an operator types it: what it says, and its exit codes."""

import signal

import pytest
from click.testing import Result
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.batcher_service.batcher import workflow as workflows
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.operator import requests as operator
from batching_demo.operator.start import start_batchers
from tests.support.batchers import batcher, expect_buffered, submit
from tests.support.commands import aside, said
from tests.support.processes import start_on_terminal, start_process
from tests.support.records import record
from tests.support.services import batcher_service, patchable_batcher_service
from tests.support.shapes import parsed
from tests.support.waiting import eventually, in_time

pytestmark = [pytest.mark.as_writer, pytest.mark.usefixtures("on_servers")]
HIDE_CURSOR, SHOW_CURSOR = b"\x1b[?25l", b"\x1b[?25h"
SLOW = BatcherSettings(linger_seconds=600)


async def run(*arguments: str) -> Result:
    return await aside("batcher", *arguments)


async def expect(exit_code: int, output: str, *arguments: str) -> None:
    result = await run(*arguments)
    printed = "".join(f"{line}\n" for line in [*result.stdout.splitlines(), *said(result)])
    assert (result.exit_code, printed) == (exit_code, output)


async def test_each_command_says_what_it_did_and_that_it_was_so_already(
    client: Client, engine: AsyncEngine
) -> None:
    await start_batchers(client, 1, SLOW)
    async with batcher_service(client, engine):
        await expect(0, "batcher-0: nothing waits\n", "flush")
        await expect(0, "batcher-0: linger_seconds 600 -> 500\n", "configure", "--linger", "500")
        await expect(0, "batcher-0: already has these settings\n", "configure", "--linger", "500")
        await expect(
            0,
            "batcher-0: paused: nothing is flushed, submissions are taken while there is room\n",
            "pause",
        )
        await expect(0, "batcher-0: already paused\n", "pause")
        refusal = "is paused and flushes nothing: `batching-demo batcher resume` first"
        await expect(1, f"Error: batcher-0 {refusal}\n", "flush")
        resumed = "it was paused, now it takes submissions and flushes as usual"
        await expect(0, f"batcher-0: resumed: {resumed}\n", "resume")
        await expect(0, "batcher-0: already open\n", "resume")
        verdicts = "every accepted record has its verdict"
        closed = f"{verdicts}; closed until `batching-demo batcher resume`"
        await expect(0, f"batcher-0: drained: {closed}\n", "drain")
        await expect(0, f"batcher-0: already drained: {closed}\n", "drain")
        await expect(0, f"batcher-0: ended: {verdicts}\n", "stop")
        missing = "does not run: start it with `batching-demo batcher start --shards 1`"
        await expect(1, f"Error: batcher-0 {missing}\n", "stop")
    started = await run("start")
    assert started.stdout == "batcher-0: started\n"


async def test_a_missing_shard_is_named_and_the_others_are_done(
    client: Client, engine: AsyncEngine
) -> None:
    await start_batchers(client, 3, SLOW)
    await batcher(client, 1).terminate()
    advice = "start it with `batching-demo batcher start --shards 2`"
    async with batcher_service(client, engine):
        for command in ("pause", "resume", "flush", "drain", "status"):
            result = await run(command)
            assert result.exit_code == 1
            assert said(result) == [f"Error: batcher-1 does not run: {advice}"]
            names = [line.split()[0].strip(":") for line in result.stdout.splitlines()]
            assert {"batcher-0", "batcher-2"} <= set(names)
        only = await run("resume", "--shard", "2")
        assert (only.exit_code, only.stdout.split(":")[0]) == (0, "batcher-2")
        assert (await run("pause", "--shard", "9")).exit_code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("configure",),
        ("configure", "--max-records", "0"),
        ("configure", "--linger", "nan"),
        ("pause", "--shard", "-1"),
        ("drain", "--timeout", "0"),
        ("reshard", "0"),
    ],
    ids=" ".join,
)
async def test_what_makes_no_sense_is_refused(arguments: tuple[str, ...]) -> None:
    result = await run(*arguments)
    assert result.exit_code == 2
    assert "Error: " in result.stderr


async def test_status_tells_all(client: Client, engine: AsyncEngine) -> None:
    await start_batchers(client, 1, SLOW)
    async with batcher_service(client, engine):
        await submit(client, ("s", [record("a"), record("b")]))
        await expect_buffered(client, 2)
        shown = await run("status")
        assert shown.exit_code == 0
        for words in ("batcher-0     open", "2 records", "the oldest for", "0 written", "600 s"):
            assert words in shown.stdout
        await run("flush")
        await run("drain")
        (told,) = parsed("batcher status", (await run("status", "--json")).stdout)
    assert (told["is_running"], told["problem"], told["failing_task"]) == (True, None, None)
    status = told["status"]
    assert status["totals"]["verdicts"]["written"] == 2
    assert sum(status["totals"]["batches"].values()) == 1
    (flush,) = status["totals"]["last_flushes"]
    assert (flush["reason"] in status["totals"]["batches"], flush["records"]) == (True, 2)
    assert flush["bytes"] > 0 <= flush["seconds"]
    assert (status["mode"], status["settings"]["linger_seconds"]) == ("draining", 600)
    assert told["run"]["history_events"] > 5


async def test_a_batcher_that_cannot_finish_its_task_is_named_with_the_way_out(
    client: Client, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("too large")

    monkeypatch.setattr(workflows, "read_signal", fail)
    monkeypatch.setattr(operator, "QUERY_SECONDS", 1.0)
    monkeypatch.setattr(operator, "UPDATE_SECONDS", 1.0)
    await start_batchers(client, 1, SLOW)

    async def names_it() -> None:
        for command in ("status", "drain"):
            shown = await run(command)
            assert shown.exit_code == 1
            assert (
                "unhandled failure: RuntimeError: too large) and takes no requests" in shown.stderr
            )
            assert "terminate --workflow-id batcher-0" in shown.stderr
            assert "start one with" not in shown.stderr
        assert "batcher-0 cannot finish its workflow task" in (await aside("doctor")).stdout

    async with patchable_batcher_service(client, engine):
        await submit(client, ("s", [record("a")]))
        await eventually(names_it)


async def test_without_a_worker_status_shows_what_temporal_knows(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator, "QUERY_SECONDS", 1.0)
    await start_batchers(client, 1, SLOW)
    shown = await run("status")
    assert shown.exit_code == 1
    assert "runs, but no worker answers" in shown.stdout
    assert "600 s" in shown.stdout
    assert "start one with `batching-demo batcher worker`" in shown.stderr
    (told,) = parsed("batcher status", (await run("status", "--json")).stdout)
    assert (told["is_running"], told["status"]) == (True, None)
    assert told["run"]["settings"]["linger_seconds"] == 600


async def test_watching_goes_on_until_it_is_interrupted(
    client: Client, engine: AsyncEngine, servers: dict[str, str]
) -> None:
    await start_batchers(client, 1, SLOW)
    watch = ("batcher", "status", "--watch", "--every", "0.1", "--json")
    async with batcher_service(client, engine):
        process = await start_process(servers, "-m", "batching_demo", *watch)
        assert process.stdout is not None
        for _ in range(3):
            (told,) = parsed("batcher status", (await process.stdout.readline()).decode())
            assert told["status"]["mode"] == "open"
        process.send_signal(signal.SIGINT)
        assert await in_time(process.wait()) == 130


async def test_a_live_picture_ends_with_the_batcher(
    client: Client, engine: AsyncEngine, servers: dict[str, str]
) -> None:
    await start_batchers(client, 1, SLOW)
    async with batcher_service(client, engine):
        terminal, process = await start_on_terminal(servers, "batcher", "status", "--watch")
        shown = await in_time(terminal.readuntil(b"batcher-0: open"))
        assert HIDE_CURSOR in shown
        await run("stop")
        rest = await in_time(terminal.read())
        assert await in_time(process.wait()) == 1
    assert b"batcher-0: does not run" in rest
    assert SHOW_CURSOR in rest.partition(b"Error: ")[0]
    assert b"start it with `batching-demo batcher start --shards 1`" in rest
