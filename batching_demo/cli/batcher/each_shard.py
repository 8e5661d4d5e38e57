"""Act on one batcher or on all of them at once, and print a line for each."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

import click
from rich.console import Console
from temporalio.client import Client

from batching_demo.cli.exit_codes import FAILED
from batching_demo.cli.servers import name_temporal
from batching_demo.contracts.names import batcher_workflow_id
from batching_demo.contracts.operations import Update
from batching_demo.operator.draining import Remains, wait_for
from batching_demo.operator.requests import request
from batching_demo.operator.shards import OperatorError, chosen_shards
from batching_demo.settings import Settings
from batching_demo.temporal.connecting import connect

Act = Callable[[Client, int], Awaitable[str]]
"""Acts on one shard and returns the line to print."""
ReportRemaining = Callable[[int, str], None]
"""Takes a shard and what it still has to do."""
ENDED = "ended: every accepted record has its verdict"


def act_on_chosen(settings: Settings, shard: int | None, act: Act) -> None:
    """Act on the chosen shard or on all, then exit: with 1 if one of them failed."""

    async def act_on_all() -> bool:
        client = await connect(settings)
        return await act_on_each(client, await chosen_shards(client, shard), act)

    name_temporal(settings)
    raise SystemExit(FAILED if asyncio.run(act_on_all()) else 0)


def act_until_nothing_remains(
    settings: Settings,
    shard: int | None,
    update: Update,
    remains: Remains,
    seconds: float,
    finished: str,
) -> None:
    """Send a request to the chosen shard or to all, and wait until nothing remains to do."""
    with showing_remaining() as report:

        async def act(client: Client, shard: int) -> str:
            return await request_and_wait(client, shard, update, remains, seconds, finished, report)

        act_on_chosen(settings, shard, act)


async def act_on_each(client: Client, shards: Sequence[int], act: Act) -> bool:
    """Act on all shards at once, print a line for each, and return whether one failed."""

    async def attempt(shard: int) -> str | OperatorError:
        try:
            return await act(client, shard)
        except OperatorError as error:
            return error

    lines = await asyncio.gather(*(attempt(shard) for shard in shards))
    for line in lines:
        failed = isinstance(line, OperatorError)
        click.echo(f"Error: {line}" if failed else line, err=failed)
    return any(isinstance(line, OperatorError) for line in lines)


async def request_of(client: Client, shard: int, update: Update, *arguments: object) -> str:
    """Send a request to a batcher, and return the line with its answer."""
    done = await request(client, shard, update, *arguments)
    return f"{batcher_workflow_id(shard)}: {done.message}"


async def request_and_wait(
    client: Client,
    shard: int,
    update: Update,
    remains: Remains,
    seconds: float,
    finished: str,
    report: ReportRemaining,
) -> str:
    """Send a request to a batcher, wait until nothing remains, and return the line to print."""
    done = await request(client, shard, update)
    await wait_for(client, shard, remains, seconds, report)
    already = "" if done.changed else "already "
    return f"{batcher_workflow_id(shard)}: {already}{finished}"


@contextmanager
def showing_remaining() -> Iterator[ReportRemaining]:
    """Show on a terminal what remains of each shard while it is waited for."""
    remaining: dict[int, str] = {}
    with Console(stderr=True).status("") as shown:

        def report(shard: int, remains: str) -> None:
            remaining[shard] = f"{batcher_workflow_id(shard)}: {remains}"
            shown.update("\n".join(remaining.values()))

        yield report
