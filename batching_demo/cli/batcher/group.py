"""`batching-demo batcher`: run the batcher service, and operate its batchers."""

import click

from batching_demo.cli.batcher.drain import drain, stop
from batching_demo.cli.batcher.requests import configure, flush, pause, resume
from batching_demo.cli.batcher.reshard import reshard
from batching_demo.cli.batcher.start import start
from batching_demo.cli.batcher.status import status
from batching_demo.cli.batcher.worker import worker


@click.group()
def batcher() -> None:
    """Collect records and write them in bulk.

    \b
    Example: batching-demo batcher status
    """


for command in (worker, start, status, flush, pause, resume, configure, drain, stop, reshard):
    batcher.add_command(command)
