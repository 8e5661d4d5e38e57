"""`batching-demo batcher flush|pause|resume|configure|drain|stop|reshard`."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from temporalio.client import Client

from batching_demo.batcher_service.control import Changes
from batching_demo.batcher_service.draining import Remains, running, wait_for, without_verdict
from batching_demo.batcher_service.operator import Update, request
from batching_demo.batcher_service.reshard import keep, settings_for_new
from batching_demo.batcher_service.shards import (
    OperatorError,
    chosen_shards,
    running_shards,
)
from batching_demo.batcher_service.workflows import BatcherWorkflow
from batching_demo.cli import options
from batching_demo.cli.exit_codes import FAILED
from batching_demo.contracts import MAX_BATCH_BYTES, MAX_BATCH_RECORDS, batcher_workflow_id
from batching_demo.settings import Settings
from batching_demo.temporal import connect

DRAINED = (
    "drained: every accepted record has its verdict; closed until `batching-demo batcher resume`"
)
ENDED = "ended: every accepted record has its verdict"
Act = Callable[[Client, int], Awaitable[str]]
"""Does something to one shard, and says what."""
Report = Callable[[int, str], None]


@click.command()
@options.shard
@click.pass_obj
def flush(settings: Settings, shard: int | None) -> None:
    """Write what waits now, full batch or not; while the database fails, try it at once.

    \b
    Example: batching-demo batcher flush
    """
    _run(settings, shard, lambda client, number: _request(client, number, BatcherWorkflow.flush))


@click.command()
@options.shard
@click.pass_obj
def pause(settings: Settings, shard: int | None) -> None:
    """Stop flushing, until `resume`. Records are taken while there is room, then answered busy.

    \b
    Example: batching-demo batcher pause --shard 0
    """
    _run(settings, shard, lambda client, number: _request(client, number, BatcherWorkflow.pause))


@click.command()
@options.shard
@click.pass_obj
def resume(settings: Settings, shard: int | None) -> None:
    """Flush and take records as usual again, after `pause`, `drain` or an unfinished `stop`.

    \b
    Example: batching-demo batcher resume
    """
    _run(settings, shard, lambda client, number: _request(client, number, BatcherWorkflow.resume))


@click.command()
@click.option(
    "--max-records",
    type=click.IntRange(min=1, max=MAX_BATCH_RECORDS),
    help="Records in a batch, at most.",
)
@click.option(
    "--max-bytes",
    type=click.IntRange(min=1, max=MAX_BATCH_BYTES),
    help="Encoded bytes in a batch, at most.",
)
@click.option(
    "--linger",
    type=options.Seconds(),
    help="Seconds that the oldest record may wait for its batch to fill.",
)
@options.shard
@click.pass_obj
def configure(
    settings: Settings,
    max_records: int | None,
    max_bytes: int | None,
    linger: float | None,
    shard: int | None,
) -> None:
    """Change settings of running batchers; they hold from the next batch on.

    \b
    Example: batching-demo batcher configure --max-records 500 --linger 5
    """
    changes = Changes(max_records, max_bytes, linger)
    if changes == Changes():
        raise click.UsageError("name what to change: --max-records, --max-bytes or --linger")
    _run(
        settings,
        shard,
        lambda client, number: _request(client, number, BatcherWorkflow.configure, changes),
    )


@click.command()
@options.shard
@options.timeout
@click.pass_obj
def drain(settings: Settings, shard: int | None, timeout: float) -> None:
    """Answer senders busy, write all that waits, and return when every record has its verdict.

    Senders come back until `resume`.

    \b
    Example: batching-demo batcher drain --timeout 300
    """
    _run_until(settings, shard, BatcherWorkflow.drain, without_verdict, timeout, DRAINED)


@click.command()
@options.shard
@options.timeout
@click.pass_obj
def stop(settings: Settings, shard: int | None, timeout: float) -> None:
    """Drain, then end the batcher; return when it has ended.

    Senders wait for it to be started again; those of other shards than 0 go to shard 0.

    \b
    Example: batching-demo batcher stop --shard 3
    """
    _run_until(settings, shard, BatcherWorkflow.stop, running, timeout, ENDED)


@click.command()
@click.argument("shards", type=click.IntRange(min=1, max=options.MOST_SHARDS))
@options.timeout
@click.pass_obj
def reshard(settings: Settings, shards: int, timeout: float) -> None:
    """Change the number of batchers to SHARDS while records wait, losing and doubling none.

    Missing ones are started with the settings of shard 0; those too many are drained, and end.
    Main workflows under way need not know: what finds its shard closed goes to shard 0.

    \b
    Example: batching-demo batcher reshard 4
    """
    with _reporting() as report:
        failed = asyncio.run(_reshard(settings, shards, timeout, report))
    if not failed:
        click.echo(f"start main workflows with --shards {shards} from now on")
    raise SystemExit(FAILED if failed else 0)


async def _reshard(settings: Settings, shards: int, seconds: float, report: Report) -> bool:
    client = await connect(settings)
    try:
        new = await settings_for_new(client)
    except OperatorError as error:
        raise click.ClickException(str(error)) from None
    before = await running_shards(client)

    async def act(client: Client, shard: int) -> str:
        if shard < shards:
            return await keep(client, shard, new)
        return await _request_and_wait(
            client, shard, BatcherWorkflow.stop, running, seconds, ENDED, report
        )

    too_many = [shard for shard in before if shard >= shards]
    return await _act_on_each(client, [*range(shards), *too_many], act)


def _run(settings: Settings, shard: int | None, act: Act) -> None:
    """Act on the chosen shard or on all, a line for each; exit 1 if one of them failed."""

    async def act_on_all() -> bool:
        client = await connect(settings)
        return await _act_on_each(client, await chosen_shards(client, shard), act)

    raise SystemExit(FAILED if asyncio.run(act_on_all()) else 0)


def _run_until(
    settings: Settings,
    shard: int | None,
    update: Update,
    remains: Remains,
    seconds: float,
    finished: str,
) -> None:
    """Request something of the chosen shard or of all, and wait until nothing remains."""
    with _reporting() as report:

        async def act(client: Client, shard: int) -> str:
            return await _request_and_wait(
                client, shard, update, remains, seconds, finished, report
            )

        _run(settings, shard, act)


async def _act_on_each(client: Client, shards: Sequence[int], act: Act) -> bool:
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


async def _request(client: Client, shard: int, update: Update, *arguments: Any) -> str:
    done = await request(client, shard, update, *arguments)
    return f"{batcher_workflow_id(shard)}: {done.message}"


async def _request_and_wait(
    client: Client,
    shard: int,
    update: Update,
    remains: Remains,
    seconds: float,
    finished: str,
    report: Report,
) -> str:
    done = await request(client, shard, update)
    await wait_for(client, shard, remains, seconds, report)
    already = "" if done.changed else "already "
    return f"{batcher_workflow_id(shard)}: {already}{finished}"


@contextmanager
def _reporting() -> Iterator[Report]:
    """Show on a terminal what remains of each shard while it is waited for."""
    remaining: dict[int, str] = {}
    with Console(stderr=True).status("") as shown:

        def report(shard: int, remains: str) -> None:
            remaining[shard] = f"{batcher_workflow_id(shard)}: {remains}"
            shown.update("\n".join(remaining.values()))

        yield report


COMMANDS = (flush, pause, resume, configure, drain, stop, reshard)
