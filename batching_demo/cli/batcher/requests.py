"""`batching-demo batcher flush|pause|resume|configure`: one request to each batcher."""

import click

from batching_demo.cli import options
from batching_demo.cli.batcher.each_shard import act_on_chosen, request_of
from batching_demo.contracts.limits import MAX_BATCH_BYTES, MAX_BATCH_RECORDS
from batching_demo.contracts.operations import Changes, Update
from batching_demo.settings import Settings


@click.command()
@options.shard
@click.pass_obj
def flush(settings: Settings, shard: int | None) -> None:
    """Write what waits now, full batch or not; while the database fails, try it at once.

    \b
    Example: batching-demo batcher flush
    """
    _request(settings, shard, Update.FLUSH)


@click.command()
@options.shard
@click.pass_obj
def pause(settings: Settings, shard: int | None) -> None:
    """Stop flushing, until `resume`. Records are taken while there is room, then answered busy.

    \b
    Example: batching-demo batcher pause --shard 0
    """
    _request(settings, shard, Update.PAUSE)


@click.command()
@options.shard
@click.pass_obj
def resume(settings: Settings, shard: int | None) -> None:
    """Flush and take records as usual again, after `pause`, `drain` or an unfinished `stop`.

    \b
    Example: batching-demo batcher resume
    """
    _request(settings, shard, Update.RESUME)


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
    _request(settings, shard, Update.CONFIGURE, changes)


def _request(settings: Settings, shard: int | None, update: Update, *arguments: object) -> None:
    act_on_chosen(
        settings, shard, lambda client, number: request_of(client, number, update, *arguments)
    )
