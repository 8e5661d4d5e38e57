"""Why no worker goes on with a workflow of the batcher service, if versions are the reason."""

from temporalio.client import Client

from batching_demo.contracts.names import BATCHER_TASK_QUEUE, batcher_workflow_id
from batching_demo.deployment import Version
from batching_demo.operator.shards import Described
from batching_demo.pollers import find_missing_version, find_version_problem


async def describe_missing_worker(client: Client, described: Described) -> str:
    """Return why no worker goes on with a batcher, and what to do; empty if one may."""
    return await find_missing_worker(
        client, batcher_workflow_id(described.shard), described.version
    )


async def find_missing_worker(client: Client, workflow_id: str, pinned: Version) -> str:
    """Return why no worker goes on with a workflow of the batcher service; empty if one may.

    Args:
        client: Of the namespace.
        workflow_id: Of the workflow.
        pinned: The version that it is pinned to; None if it is not.
    """
    if pinned is None:
        return await find_version_problem(client, BATCHER_TASK_QUEUE)
    missing = await find_missing_version(client, BATCHER_TASK_QUEUE, pinned)
    return f"{workflow_id} {missing}" if missing else ""
