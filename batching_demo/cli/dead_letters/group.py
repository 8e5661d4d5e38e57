"""`batching-demo dead-letters`: records that could not be stored as they are."""

import click

from batching_demo.cli.dead_letters.discard import discard
from batching_demo.cli.dead_letters.list import list_command
from batching_demo.cli.dead_letters.retry import retry
from batching_demo.cli.dead_letters.show import show


@click.group("dead-letters")
def dead_letters() -> None:
    """List, show, retry and discard dead letters.

    A dead letter is a record that could not be stored as it is, kept with the reason.

    \b
    Example: batching-demo dead-letters list
    """


for command in (list_command, show, retry, discard):
    dead_letters.add_command(command)
