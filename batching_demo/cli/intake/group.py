"""`batching-demo intake`: write what is on a queue of others."""

import click

from batching_demo.cli.intake.send import send
from batching_demo.cli.intake.status import status
from batching_demo.cli.intake.worker import worker


@click.group()
def intake() -> None:
    """Write the JSON objects that are on a queue to Postgres, in batches.

    \b
    Example: batching-demo intake worker --from redis://127.0.0.1:6379/0/orders
    """


for command in (worker, send, status):
    intake.add_command(command)
