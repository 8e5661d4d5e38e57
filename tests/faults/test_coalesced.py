"""The coalesced path: calls that wait in a worker's memory lose nothing, whatever happens to it."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.contracts.names import WritePath
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.operator.start import start_batchers
from batching_demo.requester import by_activity
from tests.support.database import execute, expect_dead_letters, fetch, scalar
from tests.support.loading import load, write_ndjson
from tests.support.paths import WITHOUT_QUEUE
from tests.support.processes import start_process
from tests.support.services import batcher_service, main_service
from tests.support.waiting import eventually, in_time

WORKER = ("-m", "batching_demo", "batcher", "worker")
PATIENT = ("--linger", "600")
QUICK = BatcherSettings(linger_seconds=0.2)


async def test_calls_of_many_workflows_share_a_batch(
    client: Client, engine: AsyncEngine, tmp_path: Path
) -> None:
    path = write_ndjson(tmp_path / "x.ndjson", ({"id": number} for number in range(50)))
    settings = BatcherSettings(max_records=25, linger_seconds=60)
    async with batcher_service(client, engine, settings), main_service(client):
        summary = await load(client, path, write_path=WritePath.COALESCED)
    assert (summary.written, summary.workflows) == (50, 50)
    counted = await fetch(engine, "SELECT write_path, rows, batches FROM write_counts")
    assert counted == [("coalesced", 50, 2)]


@pytest.mark.parametrize("path", WITHOUT_QUEUE)
async def test_every_path_gives_the_same_verdicts(
    client: Client, engine: AsyncEngine, tmp_path: Path, path: WritePath
) -> None:
    documents = [{"id": 1}, {"id": 2}, {"id": 1}, {"id": 2, "other": True}, {"id": ""}, {"id": 3}]
    file = write_ndjson(tmp_path / "x.ndjson", documents)
    await start_batchers(client, 1, QUICK)
    async with batcher_service(client, engine, QUICK), main_service(client):
        summary = await load(client, file, records_per_workflow=10, write_path=path)
        await expect_dead_letters(engine, 2)
    counts = (summary.written, summary.duplicate, summary.conflict, summary.rejected)
    assert counts == (3, 1, 1, 1)
    stored = await fetch(engine, "SELECT idempotency_key, write_path FROM records ORDER BY 1")
    assert stored == [("1", path), ("2", path), ("3", path)]


async def expect_parked(client: Client, number: int) -> None:
    """Wait until a worker has taken the calls of so many workflows."""

    async def check() -> None:
        started = 0
        async for workflow in client.list_workflows("WorkflowType = 'MainWorkflow'"):
            handle = client.get_workflow_handle(workflow.id)
            pending = (await handle.describe()).raw_description.pending_activities
            started += sum(activity.state == 2 for activity in pending)
        assert started == number

    await eventually(check)


async def test_calls_of_a_killed_worker_are_made_again(
    client: Client,
    engine: AsyncEngine,
    servers: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(by_activity, "HEARTBEAT_TIMEOUT", by_activity.HEARTBEAT_TIMEOUT / 10)
    path = write_ndjson(tmp_path / "x.ndjson", ({"id": number} for number in range(5)))
    doomed = await start_process(servers, *WORKER, *PATIENT)
    async with main_service(client):
        loading = asyncio.create_task(load(client, path, write_path=WritePath.COALESCED))
        await expect_parked(client, 5)
        doomed.kill()
        await doomed.wait()
        assert await scalar(engine, "SELECT count(*) FROM records") == 0
        async with batcher_service(client, engine, QUICK):
            assert (await loading).written == 5
    assert await scalar(engine, "SELECT count(*) FROM records") == 5


async def test_a_worker_that_is_told_to_stop_writes_what_waits(
    client: Client, engine: AsyncEngine, servers: dict[str, str], tmp_path: Path
) -> None:
    path = write_ndjson(tmp_path / "x.ndjson", ({"id": number} for number in range(5)))
    worker = await start_process(servers, *WORKER, *PATIENT)
    async with main_service(client):
        loading = asyncio.create_task(load(client, path, write_path=WritePath.COALESCED))
        await expect_parked(client, 5)
        worker.terminate()
        assert (await in_time(loading)).written == 5
        output, _ = await in_time(worker.communicate())
    assert worker.returncode == 0
    assert b"reason drain: 5 written" in output


async def test_an_outage_is_waited_for_and_says_what_to_do(
    client: Client, engine: AsyncEngine, tmp_path: Path
) -> None:
    path = write_ndjson(tmp_path / "x.ndjson", ({"id": number} for number in range(3)))
    await execute(engine, "ALTER TABLE records RENAME TO elsewhere")
    async with batcher_service(client, engine, QUICK), main_service(client):
        loading = asyncio.create_task(load(client, path, write_path=WritePath.COALESCED))

        async def told() -> None:
            advice = []
            async for workflow in client.list_workflows("WorkflowType = 'MainWorkflow'"):
                handle = client.get_workflow_handle(workflow.id)
                pending = (await handle.describe()).raw_description.pending_activities
                advice += [activity.last_failure.message for activity in pending]
            assert len(advice) == 3
            assert all("batching-demo db upgrade" in message for message in advice)

        await eventually(told)
        await execute(engine, "ALTER TABLE elsewhere RENAME TO records")
        assert (await in_time(loading)).written == 3


@pytest.mark.parametrize("is_taken", [False, True])
async def test_a_deadline_names_what_has_no_verdict(
    client: Client, servers: dict[str, str], tmp_path: Path, is_taken: bool
) -> None:
    worker = await start_process(servers, *WORKER, *PATIENT) if is_taken else None
    path = write_ndjson(tmp_path / "x.ndjson", [{"id": "lonely"}])
    async with main_service(client):
        summary = await load(client, path, write_path=WritePath.COALESCED, deadline_seconds=3)
    if worker:
        worker.kill()
        await worker.wait()
    assert "no verdict yet for 1 record," in summary.failures[0]
    assert "'lonely'" in summary.failures[0]
