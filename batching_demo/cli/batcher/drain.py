"""`batching-demo batcher drain|stop`: have batchers answer every record, and wait for it."""

import click

from batching_demo.cli import options
from batching_demo.cli.batcher.each_shard import ENDED, act_until_nothing_remains
from batching_demo.contracts.operations import Update
from batching_demo.operator.draining import running, without_verdict
from batching_demo.settings import Settings

DRAINED = (
    "drained: every accepted record has its verdict; closed until `batching-demo batcher resume`"
)


@click.command()
@options.shard
@options.timeout
@click.pass_obj
def drain(settings: Settings, shard: int | None, timeout: float) -> None:
    """Write all that waits, and take nothing more.

    The batcher answers senders busy. The command returns when every accepted record has its
    verdict. Senders submit again until `resume` lets them in.

    \b
    Example: batching-demo batcher drain --timeout 300
    """
    act_until_nothing_remains(settings, shard, Update.DRAIN, without_verdict, timeout, DRAINED)


@click.command()
@options.shard
@options.timeout
@click.pass_obj
def stop(settings: Settings, shard: int | None, timeout: float) -> None:
    """Drain the batcher, end it, and return when it has ended.

    Senders of shard 0 wait until it is started again; those of other shards go to shard 0.

    \b
    Example: batching-demo batcher stop --shard 3
    """
    act_until_nothing_remains(settings, shard, Update.STOP, running, timeout, ENDED)
