"""`batching-demo doctor`: check that everything is there that the services need."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict

import click

from batching_demo.cli import options
from batching_demo.cli.exit_codes import FAILED
from batching_demo.contracts.targets import TargetDeclaration
from batching_demo.doctor.examine import examine
from batching_demo.settings import Settings


@click.command()
@options.targets
@options.queue_url
@options.pooler
@options.as_json
@click.pass_obj
def doctor(settings: Settings, targets: Sequence[TargetDeclaration], as_json: bool) -> None:
    """Check servers, workers, batchers and this machine.

    It names what to type next, and changes nothing. The exit code is 0 if all is well, else 1. A
    missing main worker is no problem: your own workflows need none.

    \b
    Example: batching-demo doctor
    """
    checks = asyncio.run(examine(settings, targets))
    if as_json:
        click.echo(json.dumps([asdict(check) for check in checks], indent=2))
    else:
        for check in checks:
            click.echo(f"{check.outcome:<9}{check.name:<17}{check.detail}")
    is_well = all(check.outcome.is_well for check in checks)
    raise SystemExit(0 if is_well else FAILED)
