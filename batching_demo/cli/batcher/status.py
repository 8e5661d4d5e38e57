"""`batching-demo batcher status`: show what each batcher does."""

import asyncio
import json
import time
from collections.abc import Sequence

import click
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from batching_demo.cli import options
from batching_demo.cli.exit_codes import FAILED, INTERRUPTED
from batching_demo.cli.process.streams import reader_left
from batching_demo.operator.status import Overview, lines, overview
from batching_demo.settings import Settings
from batching_demo.temporal import connect

LABEL_WIDTH = 14


@click.command()
@options.shard
@click.option("--watch", is_flag=True, help="Show it again and again, until Ctrl-C.")
@options.option(
    "--every",
    type=options.Seconds(min_open=True),
    default=1.0,
    help="Seconds between two looks of --watch.",
)
@options.as_json
@click.pass_obj
def status(settings: Settings, shard: int | None, watch: bool, every: float, as_json: bool) -> None:
    """Show what each batcher does.

    That is what waits, what is being written, the verdicts so far, and what is wrong. It changes
    nothing. The exit code is 0 if every batcher runs and answers.

    \b
    Examples:
      batching-demo batcher status
      batching-demo batcher status --watch
    """
    if not watch:
        raise SystemExit(_print(asyncio.run(_look(settings, shard)), as_json=as_json))
    try:
        asyncio.run(_watch(settings, shard, every, as_json=as_json))
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None


async def _look(settings: Settings, shard: int | None) -> list[Overview]:
    return await overview(await connect(settings), shard)


async def _watch(settings: Settings, shard: int | None, every: float, *, as_json: bool) -> None:
    """Show the status until interrupted: in place on a terminal, else one after the other."""
    client = await connect(settings)
    console = Console()
    if as_json or not console.is_terminal:
        while not reader_left():
            _print(await overview(client, shard), as_json=as_json, indent=None)
            await asyncio.sleep(every)
        return
    with Live(console=console, auto_refresh=False) as live:
        while True:
            found = await overview(client, shard)
            live.update(_rendered(found), refresh=True)
            await asyncio.sleep(every)


def _print(found: Sequence[Overview], *, as_json: bool, indent: int | None = 2) -> int:
    """Print on standard output, problems on standard error; return the exit code."""
    if as_json:
        click.echo(json.dumps([one.as_json() for one in found], indent=indent))
    else:
        click.echo(_text(found))
    problems = [one.wrong for one in found]
    for problem in filter(None, problems):
        click.echo(f"Error: {problem}", err=True)
    return FAILED if any(problems) else 0


def _text(found: Sequence[Overview]) -> str:
    now = time.time()
    return "\n".join(
        f"{label:<{LABEL_WIDTH}}{value}" if number == 0 else f"  {label:<{LABEL_WIDTH - 2}}{value}"
        for one in found
        for number, (label, value) in enumerate(lines(one, now))
    )


def _rendered(found: Sequence[Overview]) -> Group:
    problems = [Text(one.wrong, style="red") for one in found if one.wrong]
    return Group(Text(_text(found)), *problems)
