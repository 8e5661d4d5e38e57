"""`batching-demo batcher flush|pause|resume|configure`: one request to each batcher."""

import click

from batching_demo.cli import options
from batching_demo.cli.batcher import settings_options
from batching_demo.cli.batcher.each_shard import act_on_chosen, request_of
from batching_demo.contracts.operations import Changes, Update
from batching_demo.settings import Settings


@click.command()
@options.shard
@click.pass_obj
def flush(settings: Settings, shard: int | None) -> None:
    """Write all that waits now, full batch or not.

    While the database fails, this makes the batcher try it at once.

    \b
    Example: batching-demo batcher flush
    """
    _request(settings, shard, Update.FLUSH)


@click.command()
@options.shard
@click.pass_obj
def pause(settings: Settings, shard: int | None) -> None:
    """Stop flushing until `resume`.

    The batcher takes records while its buffer has room, then answers busy.

    \b
    Example: batching-demo batcher pause --shard 0
    """
    _request(settings, shard, Update.PAUSE)


@click.command()
@options.shard
@click.pass_obj
def resume(settings: Settings, shard: int | None) -> None:
    """Take and flush records again.

    This ends a `pause`, a `drain` or an unfinished `stop`.

    \b
    Example: batching-demo batcher resume
    """
    _request(settings, shard, Update.RESUME)


@click.command()
@options.as_one(
    "changes",
    Changes,
    settings_options.max_records(),
    settings_options.max_bytes(),
    settings_options.linger(),
    settings_options.max_writes_per_second(),
)
@options.shard
@click.pass_obj
def configure(settings: Settings, changes: Changes, shard: int | None) -> None:
    """Change settings of running batchers, from the next batch on.

    \b
    Example: batching-demo batcher configure --max-records 500 --linger 5
    """
    if changes == Changes():
        raise click.UsageError(
            "name what to change: --max-records, --max-bytes, --linger or --max-writes-per-second"
        )
    _request(settings, shard, Update.CONFIGURE, changes)


def _request(settings: Settings, shard: int | None, update: Update, *arguments: object) -> None:
    act_on_chosen(
        settings, shard, lambda client, number: request_of(client, number, update, *arguments)
    )
