"""`batching-demo targets check`: look at the tables of declared targets."""

import asyncio
import json
from collections.abc import Sequence
from difflib import get_close_matches

import click

from batching_demo.cli import options
from batching_demo.cli.exit_codes import REFUSED
from batching_demo.cli.servers import name_database
from batching_demo.cli.targets.printing import as_json_object, print_target
from batching_demo.contracts.targets import TargetDeclaration
from batching_demo.database.opening import open_database
from batching_demo.database.targets.check import CheckedTarget, check_targets
from batching_demo.settings import TARGETS, Settings


@click.command()
@click.argument("name", required=False)
@options.targets
@options.pooler
@options.as_json
@click.pass_obj
def check(
    settings: Settings, name: str | None, targets: Sequence[TargetDeclaration], as_json: bool
) -> None:
    """Show what fills each column of targets, the SQL, and every problem.

    NAME is that of one target; without it, all are checked. Nothing is changed. The exit code is 0
    if they can work, else 2. Batcher workers check the same when they start.

    \b
    Example: batching-demo targets check invoices --targets targets.toml
    """
    chosen = _chosen(targets, name)
    if not as_json:
        name_database(settings)
    checked = asyncio.run(_check(settings, chosen))
    if as_json:
        click.echo(json.dumps([as_json_object(one) for one in checked], indent=2))
    else:
        for one in checked:
            print_target(one)
    raise SystemExit(REFUSED if any(one.problems for one in checked) else 0)


def _chosen(targets: Sequence[TargetDeclaration], name: str | None) -> Sequence[TargetDeclaration]:
    """Return the targets of a name, or all.

    Raises:
        UsageError: There is none.
    """
    if not targets:
        raise click.UsageError(
            f"no target is declared: name the file that declares them with --targets or {TARGETS}"
        )
    if name is None:
        return targets
    names = [one.name for one in targets]
    if name not in names:
        near = get_close_matches(name, names, 1, 0.6)
        hint = f"is it {near[0]}?" if near else f"its targets are {', '.join(names)}"
        raise click.UsageError(f"{targets[0].origin} declares no target {name}: {hint}")
    return [one for one in targets if one.name == name]


async def _check(
    settings: Settings, targets: Sequence[TargetDeclaration]
) -> Sequence[CheckedTarget]:
    async with (
        open_database(settings, "batching-demo targets check") as engine,
        engine.connect() as connection,
    ):
        return await check_targets(connection, targets)
