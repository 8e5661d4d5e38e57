"""What keeps main workflows from going on, said once each while they are waited for."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress

import click
from temporalio.client import Client
from temporalio.service import RPCError

from batching_demo.contracts.names import COMMON_SHARD, MAIN_WORKFLOW
from batching_demo.executions import PAUSED, list_executions
from batching_demo.main_service.starter import Starter
from batching_demo.operator.shards import ShardMissingError, ShardPausedError, describe

LOOK_SECONDS = 5.0


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
    task = asyncio.create_task(_report(client, starter, shards))
    try:
        yield
    finally:
        task.cancel()


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
    found = []
    for shard in shards:
        try:
            if (await describe(client, shard)).is_paused:
                found.append(str(ShardPausedError(shard)))
        except ShardMissingError as error:
            # What other shards do not take goes to this one.
            if shard == COMMON_SHARD:
                found.append(str(error))
    query = f"WorkflowType = '{MAIN_WORKFLOW}' AND ExecutionStatus = '{PAUSED.title()}'"
    paused = set(workflow_ids).intersection(await list_executions(client, query))
    return found + [
        f"{workflow_id} is paused in Temporal: `temporal workflow unpause --workflow-id"
        f" {workflow_id}` lets it go on"
        for workflow_id in sorted(paused)
    ]
