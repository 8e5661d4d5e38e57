"""Act on one batcher or on all of them, and print a line for each."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from temporalio.client import Client

from batching_demo.cli.exit_codes import FAILED
from batching_demo.contracts.names import batcher_workflow_id
from batching_demo.operator.draining import Remains, wait_for
from batching_demo.operator.requests import Update, request
from batching_demo.operator.shards import OperatorError, chosen_shards
from batching_demo.settings import Settings
from batching_demo.temporal import connect

Act = Callable[[Client, int], Awaitable[str]]
"""Does something to one shard, and says what."""
Report = Callable[[int, str], None]


def run(settings: Settings, shard: int | None, act: Act) -> None:
    """Act on the chosen shard or on all, a line for each; exit 1 if one of them failed."""

    async def act_on_all() -> bool:
        client = await connect(settings)
        return await act_on_each(client, await chosen_shards(client, shard), act)

    raise SystemExit(FAILED if asyncio.run(act_on_all()) else 0)


def run_until(
    settings: Settings,
    shard: int | None,
    update: Update,
    remains: Remains,
    seconds: float,
    finished: str,
) -> None:
    """Request something of the chosen shard or of all, and wait until nothing remains."""
    with reporting() as report:

        async def act(client: Client, shard: int) -> str:
            return await request_and_wait(client, shard, update, remains, seconds, finished, report)

        run(settings, shard, act)


async def act_on_each(client: Client, shards: Sequence[int], act: Act) -> bool:
    """Act on all shards at once, print a line for each, and tell whether one failed."""

    async def attempt(shard: int) -> str | OperatorError:
        try:
            return await act(client, shard)
        except OperatorError as error:
            return error

    outcomes = await asyncio.gather(*(attempt(shard) for shard in shards))
    for outcome in outcomes:
        failed = isinstance(outcome, OperatorError)
        click.echo(f"Error: {outcome}" if failed else outcome, err=failed)
    return any(isinstance(outcome, OperatorError) for outcome in outcomes)


async def request_of(client: Client, shard: int, update: Update, *arguments: Any) -> str:
    """Request something of a batcher, and say what it did."""
    done = await request(client, shard, update, *arguments)
    return f"{batcher_workflow_id(shard)}: {done.message}"


async def request_and_wait(
    client: Client,
    shard: int,
    update: Update,
    remains: Remains,
    seconds: float,
    finished: str,
    report: Report,
) -> str:
    """Request something of a batcher, and wait until nothing remains."""
    done = await request(client, shard, update)
    await wait_for(client, shard, remains, seconds, report)
    already = "" if done.changed else "already "
    return f"{batcher_workflow_id(shard)}: {already}{finished}"


@contextmanager
def reporting() -> Iterator[Report]:
    """Show on a terminal what remains of each shard while it is waited for."""
    remaining: dict[int, str] = {}
    with Console(stderr=True).status("") as shown:

        def report(shard: int, remains: str) -> None:
            remaining[shard] = f"{batcher_workflow_id(shard)}: {remains}"
            shown.update("\n".join(remaining.values()))

        yield report
