"""`batching-demo batcher start`: start the batchers."""

import asyncio

import click

from batching_demo.cli.batcher import settings_options
from batching_demo.cli.servers import name_temporal
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.main_service.messages import RunOptions
from batching_demo.operator.start import Started, start_batchers
from batching_demo.settings import Settings
from batching_demo.temporal.connecting import connect


@click.command()
@settings_options.shards(variable="SHARDS", default=RunOptions.shards)
@settings_options.batcher_settings("wanted")
@click.pass_obj
def start(settings: Settings, shards: int, wanted: BatcherSettings) -> None:
    """Start a batcher for every shard that has none.

    A batcher that runs already keeps its settings; those that differ are printed.

    \b
    Example: batching-demo batcher start --shards 2 --linger 5
    """
    name_temporal(settings)
    for started in asyncio.run(_start(settings, shards, wanted)):
        click.echo(_describe(started))


async def _start(settings: Settings, shards: int, wanted: BatcherSettings) -> list[Started]:
    return await start_batchers(await connect(settings), shards, wanted)


def _describe(started: Started) -> str:
    if started.is_new:
        return f"{started.workflow_id}: started"
    if started.differences:
        return f"{started.workflow_id}: runs already, and keeps its settings: " + ", ".join(
            started.differences
        )
    return f"{started.workflow_id}: runs already, with these settings"
