"""Which workers poll a task queue, and whether one of them gets its tasks."""

import asyncio
import time
from collections.abc import Collection
from dataclasses import dataclass, replace

from temporalio.api.enums.v1 import TaskQueueType, WorkerVersioningMode
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueue, TaskQueueVersioningInfo
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion

from batching_demo.contracts.names import BATCHER_TASK_QUEUE, MAIN_TASK_QUEUE
from batching_demo.temporal.deployment import Version, name_version, read_version, version_options

WORKER_COMMANDS = {
    BATCHER_TASK_QUEUE: "batching-demo batcher worker",
    MAIN_TASK_QUEUE: "batching-demo main worker",
}
LONGEST_POLL_SECONDS = 75.0
"""A worker that lives polls again after a minute at most."""
SET_CURRENT = "temporal worker deployment set-current-version"


@dataclass(frozen=True)
class Poller:
    """A worker that has polled a task queue in the last minutes."""

    identity: str
    polled_at: float
    """In seconds since the epoch, by the clock of the server."""
    version: Version


@dataclass(frozen=True)
class Polling:
    """Who polls a task queue, and who gets its tasks."""

    pollers: Collection[Poller]
    current: Version
    """The version that gets new workflows, and activities of other versions."""
    routed_at: float = 0.0
    """When that was last changed, or the share of another version; in seconds, as above."""

    @property
    def living(self) -> "Polling":
        """The same without workers that would have polled again, by this machine's clock."""
        since = time.time() - LONGEST_POLL_SECONDS
        living = [poller for poller in self.pollers if poller.polled_at >= since]
        return replace(self, pollers=living)


async def describe_polling(client: Client, task_queue: str) -> Polling:
    """Ask the server who polls a task queue for workflows."""
    found = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=task_queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
    )
    info = found.versioning_info
    routed_at = info.update_time.ToMilliseconds() / 1000
    return Polling([_poller(one) for one in found.pollers], _current(info), routed_at)


async def has_pollers(client: Client, task_queue: str, since: float = 0.0) -> bool:
    """Return whether a worker has polled a task queue in the last minutes.

    Args:
        client: Of the namespace.
        task_queue: Its name.
        since: Seconds since the epoch, by the clock of the server. Earlier polls do not count,
            such as those of a worker that has ended.
    """
    pollers = (await describe_polling(client, task_queue)).pollers
    return any(poller.polled_at >= since for poller in pollers)


async def poller_names(client: Client, task_queue: str, *, within: float) -> list[str]:
    """Return the names of the workers that have polled a task queue lately.

    Args:
        client: Of the namespace.
        task_queue: Its name.
        within: How many seconds ago, at most, by this machine's clock.
    """
    pollers = (await describe_polling(client, task_queue)).pollers
    since = time.time() - within
    return sorted(poller.identity for poller in pollers if poller.polled_at >= since)


async def wait_for_pollers(client: Client, *task_queues: str, since: float = 0.0) -> None:
    """Wait until workers have polled all of these task queues, as `has_pollers` sees it."""
    for task_queue in task_queues:
        while not await has_pollers(client, task_queue, since):
            await asyncio.sleep(0.05)


async def find_worker_problem(client: Client, task_queue: str) -> str:
    """Return why no worker gets the tasks of a task queue, and what to do; empty if one does."""
    polling = await describe_polling(client, task_queue)
    if not polling.pollers:
        command = WORKER_COMMANDS[task_queue]
        return f"no worker polls {task_queue}: start one with `{command}`"
    return version_problem(task_queue, polling.living)


async def find_version_problem(client: Client, task_queue: str) -> str:
    """Return the same, but nothing while no worker polls."""
    return version_problem(task_queue, (await describe_polling(client, task_queue)).living)


async def find_missing_version(
    client: Client, task_queue: str, pinned: WorkerDeploymentVersion
) -> str:
    """Return that no worker of a version polls, and what to do; empty if one does.

    Args:
        client: Of the namespace.
        task_queue: Its name.
        pinned: The only version that may go on with a workflow.
    """
    polling = (await describe_polling(client, task_queue)).living
    if any(poller.version == pinned for poller in polling.pollers):
        return ""
    start = _start(task_queue, pinned)
    return f"is pinned to {name_version(pinned)}, of which no worker polls: {start}"


async def advise_to_start(client: Client, task_queue: str, pinned: Version) -> str:
    """Return what to do if no worker goes on with a workflow.

    Args:
        client: Of the namespace.
        task_queue: Of the workflow.
        pinned: The only version that may go on with it; None if any worker may.
    """
    if pinned:
        return f"it is pinned to {name_version(pinned)}: {_start(task_queue, pinned)}"
    wrong = await find_version_problem(client, task_queue)
    return wrong or f"start one with `{WORKER_COMMANDS[task_queue]}`"


def version_problem(task_queue: str, polling: Polling) -> str:
    """Return why none of the workers that poll gets tasks, and what to do; empty if one does.

    It is empty while no worker polls, too.
    """
    versions = [poller.version for poller in polling.pollers]
    current = polling.current
    if not versions or current in versions:
        return ""
    if current is None:
        latest = max(polling.pollers, key=lambda poller: poller.polled_at).version
        assert latest is not None, "workers without a version are in versions"
        return (
            f"workers of {name_version(latest)} poll {task_queue}, and get no tasks, since no"
            f" version is current: `{SET_CURRENT} {version_options(latest)}`"
        )
    problem = f"{name_version(current)} is current for {task_queue}, and none of its workers polls"
    start = _start(task_queue, current)
    if None in versions:
        deployment = f"--deployment-name {current.deployment_name}"
        others = (
            f"`{SET_CURRENT} {deployment} --unversioned` gives its tasks to workers without one"
        )
        return f"{problem}: {start}, or {others}"
    return f"{problem}: {start}, or make another version current with `{SET_CURRENT}`"


def _start(task_queue: str, version: WorkerDeploymentVersion) -> str:
    return f"start `{WORKER_COMMANDS[task_queue]} {version_options(version)}`"


def _poller(info: PollerInfo) -> Poller:
    polled_at, options = info.last_access_time.ToMilliseconds() / 1000, info.deployment_options
    version = None
    if options.worker_versioning_mode == WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED:
        version = WorkerDeploymentVersion(options.deployment_name, options.build_id)
    return Poller(info.identity, polled_at, version)


def _current(info: TaskQueueVersioningInfo) -> Version:
    """Return the version that gets all that is new, or most of it."""
    if info.ramping_version_percentage == 100:
        return read_version(info.ramping_deployment_version)
    return read_version(info.current_deployment_version)
