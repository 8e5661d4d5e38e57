"""`batching-demo batcher flush|pause|resume|configure|drain|stop|reshard`."""

import asyncio

import click
from temporalio.client import Client

from batching_demo.batcher_service.workflow import BatcherWorkflow
from batching_demo.cli import options
from batching_demo.cli.batcher.acts import (
    Report,
    act_on_each,
    reporting,
    request_and_wait,
    request_of,
    run,
    run_until,
)
from batching_demo.cli.exit_codes import FAILED
from batching_demo.contracts.limits import MAX_BATCH_BYTES, MAX_BATCH_RECORDS
from batching_demo.core.control import Changes
from batching_demo.operator.draining import running, without_verdict
from batching_demo.operator.reshard import keep, settings_for_new
from batching_demo.operator.shards import (
    OperatorError,
    running_shards,
)
from batching_demo.settings import Settings
from batching_demo.temporal import connect

DRAINED = (
    "drained: every accepted record has its verdict; closed until `batching-demo batcher resume`"
)
ENDED = "ended: every accepted record has its verdict"


@click.command()
@options.shard
@click.pass_obj
def flush(settings: Settings, shard: int | None) -> None:
    """Write what waits now, full batch or not; while the database fails, try it at once.

    \b
    Example: batching-demo batcher flush
    """
    run(settings, shard, lambda client, number: request_of(client, number, BatcherWorkflow.flush))


@click.command()
@options.shard
@click.pass_obj
def pause(settings: Settings, shard: int | None) -> None:
    """Stop flushing, until `resume`. Records are taken while there is room, then answered busy.

    \b
    Example: batching-demo batcher pause --shard 0
    """
    run(settings, shard, lambda client, number: request_of(client, number, BatcherWorkflow.pause))


@click.command()
@options.shard
@click.pass_obj
def resume(settings: Settings, shard: int | None) -> None:
    """Flush and take records as usual again, after `pause`, `drain` or an unfinished `stop`.

    \b
    Example: batching-demo batcher resume
    """
    run(settings, shard, lambda client, number: request_of(client, number, BatcherWorkflow.resume))


@click.command()
@click.option(
    "--max-records",
    type=click.IntRange(min=1, max=MAX_BATCH_RECORDS),
    help="Records in a batch, at most.",
)
@click.option(
    "--max-bytes",
    type=click.IntRange(min=1, max=MAX_BATCH_BYTES),
    help="Encoded bytes in a batch, at most.",
)
@click.option(
    "--linger",
    type=options.Seconds(),
    help="Seconds that the oldest record may wait for its batch to fill.",
)
@options.shard
@click.pass_obj
def configure(
    settings: Settings,
    max_records: int | None,
    max_bytes: int | None,
    linger: float | None,
    shard: int | None,
) -> None:
    """Change settings of running batchers; they hold from the next batch on.

    \b
    Example: batching-demo batcher configure --max-records 500 --linger 5
    """
    changes = Changes(max_records, max_bytes, linger)
    if changes == Changes():
        raise click.UsageError("name what to change: --max-records, --max-bytes or --linger")
    run(
        settings,
        shard,
        lambda client, number: request_of(client, number, BatcherWorkflow.configure, changes),
    )


@click.command()
@options.shard
@options.timeout
@click.pass_obj
def drain(settings: Settings, shard: int | None, timeout: float) -> None:
    """Answer senders busy, write all that waits, and return when every record has its verdict.

    Senders come back until `resume`.

    \b
    Example: batching-demo batcher drain --timeout 300
    """
    run_until(settings, shard, BatcherWorkflow.drain, without_verdict, timeout, DRAINED)


@click.command()
@options.shard
@options.timeout
@click.pass_obj
def stop(settings: Settings, shard: int | None, timeout: float) -> None:
    """Drain, then end the batcher; return when it has ended.

    Senders wait for it to be started again; those of other shards than 0 go to shard 0.

    \b
    Example: batching-demo batcher stop --shard 3
    """
    run_until(settings, shard, BatcherWorkflow.stop, running, timeout, ENDED)


@click.command()
@click.argument("shards", type=click.IntRange(min=1, max=options.MOST_SHARDS))
@options.timeout
@click.pass_obj
def reshard(settings: Settings, shards: int, timeout: float) -> None:
    """Change the number of batchers to SHARDS while records wait, losing and doubling none.

    Missing ones are started with the settings of shard 0; those too many are drained, and end.
    Main workflows under way need not know: what finds its shard closed goes to shard 0.

    \b
    Example: batching-demo batcher reshard 4
    """
    with reporting() as report:
        failed = asyncio.run(_reshard(settings, shards, timeout, report))
    if not failed:
        click.echo(f"start main workflows with --shards {shards} from now on")
    raise SystemExit(FAILED if failed else 0)


async def _reshard(settings: Settings, shards: int, seconds: float, report: Report) -> bool:
    client = await connect(settings)
    try:
        new = await settings_for_new(client)
    except OperatorError as error:
        raise click.ClickException(str(error)) from None
    before = await running_shards(client)

    async def act(client: Client, shard: int) -> str:
        if shard < shards:
            return await keep(client, shard, new)
        return await request_and_wait(
            client, shard, BatcherWorkflow.stop, running, seconds, ENDED, report
        )

    too_many = [shard for shard in before if shard >= shards]
    return await act_on_each(client, [*range(shards), *too_many], act)


COMMANDS = (flush, pause, resume, configure, drain, stop, reshard)
