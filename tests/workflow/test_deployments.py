"""Deploys with Worker Deployment Versioning, on a real Temporal server and a real Postgres."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import workflow
from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from batching_demo import BatchingClient, Record
from batching_demo.batcher_service import waking
from batching_demo.batcher_service.identity.workflow import DatabaseWorkflow
from batching_demo.batcher_service.worker import build_worker as build_batcher_worker
from batching_demo.contracts.identity import DATABASE_WORKFLOW, DATABASE_WORKFLOW_ID
from batching_demo.contracts.names import (
    BATCHER_TASK_QUEUE,
    MAIN_TASK_QUEUE,
    MAIN_WORKFLOW,
    WAKE_SIGNAL,
    WritePath,
    batcher_workflow_id,
)
from batching_demo.contracts.operations import BatcherSettings, Update
from batching_demo.contracts.retries import RetryInput
from batching_demo.main_service.messages import MainInput, MainResult
from batching_demo.main_service.summary import Summary
from batching_demo.main_service.worker import build_worker as build_main_worker
from batching_demo.main_service.workflow import MainWorkflow
from batching_demo.operator.identity import ask_identity
from batching_demo.operator.requests import request
from batching_demo.operator.retries import RetryRequest, retry_dead_letter
from batching_demo.operator.start import start_batchers
from batching_demo.temporal.deployment import (
    VERSION,
    deployment_config,
    search_value,
    version_options,
    warn_if_refused,
)
from batching_demo.temporal.executions import describe_execution, list_executions
from batching_demo.temporal.pollers import find_worker_problem
from batching_demo.temporal.running import workflow_runner
from tests.support.batchers import expect_buffered
from tests.support.database import scalar
from tests.support.dead_letters import BAD, allow_bad, forbid_bad, prepared, write
from tests.support.deployments import set_current, temporal_cli
from tests.support.loading import load, write_ndjson
from tests.support.temporal import running_temporal
from tests.support.waiting import eventually, in_time

A, B = "2026-11-26", "2026-11-27.1"
MAIN, BATCHER = "shop/main", "shop/batcher"
AT_ONCE = BatcherSettings(linger_seconds=0)
FAR_AWAY = BatcherSettings(linger_seconds=600)
SET_RAMPING = "temporal worker deployment set-ramping-version"
RECORDS = 5


@workflow.defn(name=MAIN_WORKFLOW)
class ChangedMainWorkflow(MainWorkflow):
    """It cannot replay what `MainWorkflow` has begun, nor the other way round."""

    @workflow.run
    async def run(self, main_input: MainInput) -> MainResult:
        """Begin with a command that the other one does not issue."""
        await workflow.sleep(0.01)
        return await super().run(main_input)


@pytest.fixture(scope="module")
async def temporal() -> AsyncIterator[WorkflowEnvironment]:
    """A server with workers of its own in each namespace, which versions need."""
    settings = {
        "worker.perNamespaceWorkerCount": "1",
        "system.namespaceCacheRefreshInterval": '"1s"',
        "matching.wv.VersionDrainageStatusVisibilityGracePeriod": '"1s"',
        "matching.wv.VersionDrainageStatusRefreshInterval": '"1s"',
    }
    async with running_temporal(settings) as environment:
        yield environment


@pytest.fixture(scope="module")
def namespaces() -> deque[str]:
    """Those of this server."""
    return deque()


class Services:
    """The workers of both services, of one version after the other.

    Args:
        client: Of the namespace.
        engine: Of the database.
        stack: Ends the workers.
    """

    def __init__(self, client: Client, engine: AsyncEngine, stack: AsyncExitStack) -> None:
        self._client = client
        self._engine = engine
        self._stack = stack

    async def start(self, build_id: str, workflow: type) -> None:
        """Start a worker of each service, as one build."""
        main, batcher = versions(build_id)
        workers = (
            build_main_worker(self._client, workflows=[workflow], deployment=main),
            build_batcher_worker(self._client, self._engine, 5, AT_ONCE, deployment=batcher),
        )
        for worker in workers:
            await self._stack.enter_async_context(worker)

    async def make_current(self, build_id: str) -> None:
        """Make a build current, batchers first, and wait until what runs for ever is on it."""
        main, batcher = versions(build_id)
        await set_current(self._client, batcher)
        await set_current(self._client, main)

        async def have_moved() -> None:
            for workflow_id in (batcher_workflow_id(0), DATABASE_WORKFLOW_ID):
                assert (await describe_execution(self._client, workflow_id)).pinned == batcher

        await eventually(have_moved)


def versions(build_id: str) -> Sequence[WorkerDeploymentVersion]:
    return [WorkerDeploymentVersion(name, build_id) for name in (MAIN, BATCHER)]


async def failed_tasks(client: Client) -> list[str]:
    """List the workflow tasks that have failed, of all runs."""
    found = []
    for workflow_id in set(await list_executions(client, "")):
        async for event in client.get_workflow_handle(workflow_id).fetch_history_events():
            if event.HasField("workflow_task_failed_event_attributes"):
                failed = event.workflow_task_failed_event_attributes
                found.append(f"{workflow_id}: {failed.cause} {failed.failure.message}")
    return found


async def test_an_incompatible_build_is_rolled_out_and_back_under_load(
    client: Client, engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waking, "LOOK_SECONDS", 0.2)
    path = write_ndjson(tmp_path / "orders.ndjson", [{"id": n} for n in range(RECORDS)])
    loads: list[asyncio.Task[Summary]] = []

    async def load_more() -> None:
        """Have main workflows hand records to the batcher, and wait for the verdicts."""
        label = f"load {len(loads)}"
        loads.append(asyncio.create_task(load(client, path, run_label=label, settings=FAR_AWAY)))
        await expect_buffered(client, RECORDS * len(loads))

    await start_batchers(client, 1, FAR_AWAY)
    async with AsyncExitStack() as stack:
        services = Services(client, engine, stack)
        await services.start(A, MainWorkflow)
        await services.make_current(A)
        await load_more()
        await services.start(B, ChangedMainWorkflow)
        await services.make_current(B)
        await load_more()
        await services.make_current(A)
        await load_more()

        await request(client, 0, Update.FLUSH)
        summaries = await in_time(asyncio.gather(*loads))
        # All loads have the same records.
        assert sum(summary.written for summary in summaries) == RECORDS
        assert sum(summary.duplicate for summary in summaries) == 2 * RECORDS
        assert await failed_tasks(client) == []
        await in_time(ask_identity(client))
        for version in versions(B):
            await eventually(partial(is_drained, client, version))


async def is_drained(client: Client, version: WorkerDeploymentVersion) -> None:
    name, build_id = version.deployment_name, version.build_id
    said = await temporal_cli(
        client,
        "temporal worker deployment describe-version"
        f" --deployment-name {name} --build-id {build_id}",
    )
    assert re.search(r"DrainageStatus\s+drained", said), said


async def test_idle_workflows_come_back_from_a_build_that_was_ramping(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def with_one_that_has_ended(*arguments: Any) -> list[str]:
        return ["ended", *await list_executions(*arguments)]

    monkeypatch.setattr(waking, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(waking, "list_executions", with_one_that_has_ended)
    a, b = (WorkerDeploymentVersion(BATCHER, build_id) for build_id in (A, B))
    async with idle_worker(client, a):
        await set_current(client, a)
        # Whether one moves is up to its id.
        idle = [
            await client.start_workflow(
                DATABASE_WORKFLOW, id=f"idle {number}", task_queue=BATCHER_TASK_QUEUE
            )
            for number in range(8)
        ]
        await eventually(partial(are_on, client, a, at_least=8))
        async with idle_worker(client, b):
            ramp = f"{SET_RAMPING} {version_options(b)} --yes"
            await eventually(partial(temporal_cli, client, f"{ramp} --percentage 60"), every=0.5)

            async def have_moved() -> None:
                await asyncio.gather(*(one.signal(WAKE_SIGNAL) for one in idle))
                await are_on(client, b, at_least=1)

            await eventually(have_moved, every=0.5)
            await temporal_cli(client, f"{ramp} --delete")
            await eventually(partial(are_on, client, a, at_least=8))


def idle_worker(client: Client, version: WorkerDeploymentVersion) -> Worker:
    """Return a worker of workflows that wait, without a database."""
    return Worker(
        client,
        task_queue=BATCHER_TASK_QUEUE,
        workflows=[DatabaseWorkflow],
        workflow_runner=workflow_runner(sandbox=False),
        plugins=[waking.WakingPlugin(client, version)],
        deployment_config=deployment_config(version),
    )


async def are_on(client: Client, version: WorkerDeploymentVersion, *, at_least: int) -> None:
    query = f"ExecutionStatus = 'Running' AND {VERSION} = '{search_value(version)}'"
    assert len(await list_executions(client, query)) >= at_least


@pytest.mark.parametrize(("build_id", "warning"), [(A, ""), ("x" * 1_200, "BuildID larger than")])
async def test_a_worker_warns_if_the_server_does_not_take_its_version(
    client: Client, build_id: str, warning: str, caplog: pytest.LogCaptureFixture
) -> None:
    await warn_if_refused(client, WorkerDeploymentVersion(MAIN, build_id))

    assert (warning in caplog.text) if warning else not caplog.records


async def test_every_other_way_to_write_works_with_versioned_workers(
    client: Client, engine: AsyncEngine, tmp_path: Path
) -> None:
    path = write_ndjson(tmp_path / "orders.ndjson", [{"id": n} for n in range(RECORDS)])
    async with AsyncExitStack() as stack:
        await Services(client, engine, stack).start(A, MainWorkflow)
        for queue in (BATCHER_TASK_QUEUE, MAIN_TASK_QUEUE):
            # What is printed for the user makes the version current.
            (command,) = re.findall("`(.+?)`", await problem_of(client, queue))
            await eventually(partial(temporal_cli, client, f"{command} --yes"), every=0.5)
            await eventually(partial(has_no_problem, client, queue))
        for write_path in (WritePath.COALESCED, WritePath.UNBATCHED):
            summary = await load(client, path, run_label=write_path, write_path=write_path)
            assert summary.read == RECORDS
        (result,) = await BatchingClient(client).write([Record("alone", {"id": "alone"})])
        assert result.verdict == "written"

        await forbid_bad(engine)
        assert await write(engine, [prepared("k1", BAD, line=7)]) == "r"
        await allow_bad(engine)
        await start_batchers(client, 1, AT_ONCE)
        retried = await in_time(retry_dead_letter(client, RetryRequest(RetryInput(1, 2, 0), b"")))
        assert retried.verdict == "written"
    assert await scalar(engine, "SELECT count(*) FROM records") == RECORDS + 2


async def problem_of(client: Client, queue: str) -> str:
    async def look() -> str:
        problem = await find_worker_problem(client, queue)
        assert "no version is current" in problem
        return problem

    return await eventually(look)


async def has_no_problem(client: Client, queue: str) -> None:
    assert await find_worker_problem(client, queue) == ""
