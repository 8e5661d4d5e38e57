"""The loop of `batcher status --watch`: look, show, wait, until no batcher runs any more."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import click
from rich.console import Console
from rich.live import Live
from temporalio.client import Client

from batching_demo.cli.batcher.picture import Rated, Rates, lines, picture
from batching_demo.cli.process.streams import reader_left
from batching_demo.operator.status import Overview, overview

Show = Callable[[Rated], None]


async def watch(
    client: Client, shard: int | None, every: float, *, as_json: bool
) -> Sequence[Overview]:
    """Show batchers until none of them runs or nobody reads it, and return the last look.

    On a terminal the picture stays in place. Elsewhere each look adds a line for each batcher, or
    with `as_json` one line for all.
    """
    rates = Rates()
    with _shown(as_json=as_json) as show:
        while True:
            found = await overview(client, shard)
            now = time.monotonic()
            show([(one, rates.add(one, now)) for one in found])
            if reader_left() or not any(one.described for one in found):
                return found
            await asyncio.sleep(every)


@contextmanager
def _shown(*, as_json: bool) -> Iterator[Show]:
    console = Console()
    if as_json:
        yield _print_json
    elif console.is_terminal and not console.is_dumb_terminal:
        with Live(console=console, auto_refresh=False) as live:
            yield lambda batchers: live.update(
                picture(batchers, time.time(), console.height), refresh=True
            )
    else:
        yield _print_lines


def _print_json(batchers: Rated) -> None:
    click.echo(json.dumps([one.as_json() for one, _ in batchers]))


def _print_lines(batchers: Rated) -> None:
    for line in lines(batchers, time.time()):
        click.echo(f"{time.strftime('%H:%M:%S')} {line}")
