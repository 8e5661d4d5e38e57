"""`batching-demo batcher reshard`: change the number of batchers."""

import asyncio

import click
from temporalio.client import Client

from batching_demo.cli import options
from batching_demo.cli.batcher.each_shard import (
    ENDED,
    ReportRemaining,
    act_on_each,
    request_and_wait,
    showing_remaining,
)
from batching_demo.cli.exit_codes import FAILED
from batching_demo.cli.servers import name_temporal
from batching_demo.contracts.counts import count
from batching_demo.contracts.operations import Update
from batching_demo.operator.draining import running
from batching_demo.operator.shards import OperatorError, running_shards
from batching_demo.operator.start import keep, settings_for_new
from batching_demo.settings import Settings
from batching_demo.temporal.connecting import connect


@click.command()
@click.argument("shards", type=click.IntRange(min=1, max=options.MOST_SHARDS))
@options.timeout
@click.pass_obj
def reshard(settings: Settings, shards: int, timeout: float) -> None:
    """Change the number of batchers to SHARDS.

    Records may wait meanwhile: none is lost, none is written twice. Missing batchers start with the
    settings of shard 0. Batchers beyond SHARDS are drained, then end. Workflows under way go
    on: a submission that finds its shard ended goes to shard 0.

    \b
    Example: batching-demo batcher reshard 4
    """
    name_temporal(settings)
    with showing_remaining() as report:
        failed = asyncio.run(_reshard(settings, shards, timeout, report))
    if not failed:
        click.echo(f"main workflows started from now on submit to {count(shards, 'batcher')}")
    raise SystemExit(FAILED if failed else 0)


async def _reshard(
    settings: Settings, shards: int, seconds: float, report: ReportRemaining
) -> bool:
    client = await connect(settings)
    try:
        new = await settings_for_new(client)
    except OperatorError as error:
        raise click.ClickException(str(error)) from None
    before = await running_shards(client)

    async def act(client: Client, shard: int) -> str:
        if shard < shards:
            return await keep(client, shard, new)
        return await request_and_wait(client, shard, Update.STOP, running, seconds, ENDED, report)

    too_many = [shard for shard in before if shard >= shards]
    return await act_on_each(client, [*range(shards), *too_many], act)
