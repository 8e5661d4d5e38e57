"""`batching-demo main`: run the main service, and start its workflows."""

import click

from batching_demo.cli.main.start import start
from batching_demo.cli.main.worker import worker


@click.group("main")
def main_group() -> None:
    """Load and prepare records, and submit them to a batcher.

    \b
    Example: batching-demo main start --workflows 50
    """


for command in (worker, start):
    main_group.add_command(command)
