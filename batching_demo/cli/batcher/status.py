"""`batching-demo batcher status`: show what each batcher does."""

import asyncio
import json
import time
from collections.abc import Sequence

import click

from batching_demo.cli import options
from batching_demo.cli.batcher.watch import watch as watch_batchers
from batching_demo.cli.exit_codes import FAILED, INTERRUPTED
from batching_demo.operator.status import Overview, lines, overview
from batching_demo.settings import Settings
from batching_demo.stopping import interrupt_on_signals
from batching_demo.temporal.connecting import connect

LABEL_WIDTH = 14


@click.command()
@options.shard
@click.option("--watch", is_flag=True, help="Show it live, until Ctrl-C or until none runs.")
@options.option(
    "--every",
    type=options.Seconds(min_open=True),
    default=1.0,
    help="Seconds between two readings of --watch.",
)
@options.as_json
@click.pass_obj
def status(settings: Settings, shard: int | None, watch: bool, every: float, as_json: bool) -> None:
    """Show what each batcher does.

    That is what waits, what is being written, the verdicts so far, and what is wrong. It changes
    nothing. The exit code is 0 if every batcher runs and answers.

    --watch draws how full each buffer is, the last flushes and the rate. Without a terminal it
    prints a line for each batcher at every reading. Ctrl-C ends it with 130. It ends with 1 when no
    batcher runs any more.

    \b
    Examples:
      batching-demo batcher status
      batching-demo batcher status --watch
    """
    if watch:
        interrupt_on_signals()
    try:
        found = asyncio.run(_look(settings, shard, every, watch=watch, as_json=as_json))
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    if not watch:
        _print(found, as_json=as_json)
    raise SystemExit(_print_problems(found))


async def _look(
    settings: Settings, shard: int | None, every: float, *, watch: bool, as_json: bool
) -> Sequence[Overview]:
    client = await connect(settings)
    if not watch:
        return await overview(client, shard)
    return await watch_batchers(client, shard, every, as_json=as_json)


def _print(found: Sequence[Overview], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([one.as_json() for one in found], indent=2))
    else:
        click.echo(_text(found))


def _print_problems(found: Sequence[Overview]) -> int:
    """Print on standard error what is wrong, and return the exit code."""
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
