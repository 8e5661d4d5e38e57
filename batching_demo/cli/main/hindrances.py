"""What keeps main workflows from going on, said once each while they are waited for."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress

import click
from temporalio.client import Client
from temporalio.service import RPCError

from batching_demo.concurrency import in_background
from batching_demo.contracts.counts import count
from batching_demo.contracts.names import (
    BATCHER_TASK_QUEUE,
    COMMON_SHARD,
    MAIN_TASK_QUEUE,
    MAIN_WORKFLOW,
    batcher_workflow_id,
)
from batching_demo.main_service.starter import Starter
from batching_demo.operator.shards import ShardMissingError, ShardPausedError, describe
from batching_demo.temporal.deployment import IS_PINNED, VERSION, search_value
from batching_demo.temporal.executions import PAUSED, describe_execution, list_executions
from batching_demo.temporal.pollers import (
    describe_polling,
    find_missing_version,
    find_version_problem,
)

LOOK_SECONDS = 5.0
RUNS = f"WorkflowType = '{MAIN_WORKFLOW}'"


@asynccontextmanager
async def reporting_hindrances(
    client: Client, starter: Starter, shards: Collection[int]
) -> AsyncIterator[None]:
    """Look now and then for what somebody has paused or ended in Temporal.

    Args:
        client: Of the namespace.
        starter: Has the workflows that are waited for.
        shards: Of the batchers that they submit to; none for the other write paths.
    """
    async with in_background(_report(client, starter, shards)):
        yield


async def _report(client: Client, starter: Starter, shards: Collection[int]) -> None:
    printed: set[str] = set()
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        # Whoever waits for results meets a server that is away by itself.
        with suppress(RPCError):
            for line in await find_hindrances(client, starter.open_workflows, shards):
                if line not in printed:
                    printed.add(line)
                    click.echo(line, err=True)


async def find_hindrances(
    client: Client, workflow_ids: Collection[str], shards: Collection[int]
) -> list[str]:
    """Return a line for each thing that keeps workflows from going on, with what to do."""
    queues = (MAIN_TASK_QUEUE, BATCHER_TASK_QUEUE)
    found = [await find_version_problem(client, queue) for queue in queues]
    found += [await _of_batcher(client, shard) for shard in shards]
    found.append(await _of_pinned(client, workflow_ids))
    query = f"{RUNS} AND ExecutionStatus = '{PAUSED.title()}'"
    paused = set(workflow_ids).intersection(await list_executions(client, query))
    found += [
        f"{workflow_id} is paused in Temporal: `temporal workflow unpause --workflow-id"
        f" {workflow_id}` unpauses it"
        for workflow_id in sorted(paused)
    ]
    return [line for line in found if line]


async def _of_batcher(client: Client, shard: int) -> str:
    try:
        described = await describe(client, shard)
    except ShardMissingError as error:
        # What other shards do not take goes to this one.
        return str(error) if shard == COMMON_SHARD else ""
    if described.is_paused:
        return str(ShardPausedError(shard))
    if described.version is None:
        return ""
    missing = await find_missing_version(client, BATCHER_TASK_QUEUE, described.version)
    return f"{batcher_workflow_id(shard)} {missing}" if missing else ""


async def _of_pinned(client: Client, workflow_ids: Collection[str]) -> str:
    """Return the first workflow that is pinned to a version of which no worker polls."""
    pollers = (await describe_polling(client, MAIN_TASK_QUEUE)).pollers
    polled = {poller.version for poller in pollers if poller.version}
    others = "".join(f" AND {VERSION} != '{search_value(version)}'" for version in polled)
    query = f"{RUNS} AND ExecutionStatus = 'Running' AND {IS_PINNED}{others}"
    stranded = set(workflow_ids).intersection(await list_executions(client, query))
    if not stranded:
        return ""
    first = min(stranded)
    pinned = (await describe_execution(client, first)).pinned
    missing = pinned and await find_missing_version(client, MAIN_TASK_QUEUE, pinned)
    more = f"; {count(len(stranded) - 1, 'workflow')} more" if len(stranded) > 1 else ""
    return f"{first} {missing}{more}" if missing else ""
