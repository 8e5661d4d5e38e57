"""`main start` and `compare` use the settings of the batchers that run, on a real Temporal."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.comparison import postgres_counts
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.operator.start import start_batchers
from tests.support import commands
from tests.support.batchers import batcher
from tests.support.commands import aside
from tests.support.services import batcher_service, main_service
from tests.support.shapes import parsed
from tests.support.waiting import eventually

OTHERS = BatcherSettings(max_records=7, linger_seconds=33)
NO_MAIN_WORKER = "no worker polls main-workflow-queue"


@pytest.fixture(autouse=True)
def without_a_database(servers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in servers.items():
        if name != "DATABASE_URL":
            monkeypatch.setenv(name, value)


@pytest.fixture(autouse=True)
async def batcher_worker(client: Client, engine: AsyncEngine) -> AsyncIterator[None]:
    """A worker that says which database it writes to."""
    async with batcher_service(client, engine):
        yield


async def start(*arguments: str) -> Result:
    result = await aside("main", "start", "--workflows", "1", "--no-wait", "--json", *arguments)
    assert result.exit_code == 0, result.output
    return result


async def settings_given(client: Client) -> tuple[int, int, float]:
    """Read records, shards and linger from what the one main workflow was started with."""

    async def workflow_id() -> str:
        found = [one.id async for one in client.list_workflows("WorkflowType = 'MainWorkflow'")]
        assert len(found) == 1
        return found[0]

    history = await client.get_workflow_handle(await eventually(workflow_id)).fetch_history()
    payload = history.events[0].workflow_execution_started_event_attributes.input.payloads[0]
    options: dict[str, Any] = json.loads(payload.data)["options"]
    settings = options["settings"]
    return settings["max_records"], options["shards"], settings["linger_seconds"]


def said(result: Result) -> list[str]:
    """List the lines on standard error, but servers and that no main worker runs here."""
    return [line for line in commands.said(result) if not line.startswith(NO_MAIN_WORKER)]


async def test_nothing_said_takes_what_the_batchers_have(client: Client) -> None:
    await start_batchers(client, 3, OTHERS)
    result = await start()
    assert said(result) == []
    assert await settings_given(client) == (7, 3, 33)


async def test_what_is_said_wins_and_one_line_names_the_difference(client: Client) -> None:
    await start_batchers(client, 2, OTHERS)
    result = await start("--linger", "5", "--max-records", "7", "--shards", "4")
    assert said(result) == ["batcher-0 lingers 33 s, not 5; batchers run for --shards 2, not 4"]
    assert await settings_given(client) == (7, 4, 5)


async def test_without_a_batcher_the_defaults_hold(client: Client) -> None:
    result = await start("--shards", "2")
    assert said(result) == []
    assert await settings_given(client) == (100, 2, 20)


async def test_the_environment_of_batchers_says_nothing_to_a_starter(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await start_batchers(client, 1, OTHERS)
    monkeypatch.setenv("BATCHING_DEMO_LINGER", "1")
    monkeypatch.setenv("BATCHING_DEMO_WORKFLOWS", "2")
    assert said(await start()) == []
    assert await settings_given(client) == (7, 1, 33)


@pytest.mark.parametrize("path", ["unbatched", "coalesced"])
async def test_a_path_without_batchers_reads_nothing(client: Client, path: str) -> None:
    await start_batchers(client, 2, OTHERS)
    result = await start("--write-path", path, "--linger", "5")
    assert said(result) == []
    assert await settings_given(client) == (100, 1, 5)


async def test_settings_that_were_changed_while_it_ran_count(client: Client) -> None:
    await start_batchers(client, 2, OTHERS)
    result = await aside("batcher", "configure", "--linger", "44", "--shard", "1")
    assert result.exit_code == 0, result.output
    await batcher(client, 0).terminate()
    await start()
    assert await settings_given(client) == (7, 2, 44)


async def test_a_comparison_cuts_its_submissions_to_the_batches_that_run(
    client: Client, servers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", servers["DATABASE_URL"])
    monkeypatch.setattr(postgres_counts, "LONGEST_LAG_SECONDS", 0.0)  # Nobody reads the counters.
    await start_batchers(client, 2, BatcherSettings(max_records=5, linger_seconds=0.2))
    async with main_service(client):
        result = await aside(
            *("compare", "--records", "40", "--records-per-workflow", "20", "--json"),
            *("--write-path", "batched", "--linger", "0.1"),
        )
    assert result.exit_code == 0, result.output
    assert said(result) == ["batcher-0 lingers 0.2 s, not 0.1"]
    ((path),) = parsed("compare", result.stdout)
    assert path["written"] == 40
    assert path["batches"] >= 8
