"""`batching-demo targets`: tables of your own that records go to."""

import click

from batching_demo.cli.targets.check import check


@click.group("targets")
def targets() -> None:
    """Check the tables of your own that records go to.

    \b
    Example: batching-demo targets check --targets targets.toml
    """


targets.add_command(check)
