"""Wait until batchers have nothing left, or have ended; name what remains if they have not."""

import asyncio
from collections.abc import Awaitable, Callable

from temporalio.client import Client

from batching_demo.contracts.counts import count
from batching_demo.contracts.names import batcher_workflow_id
from batching_demo.contracts.operations import Mode
from batching_demo.operator.requests import (
    POLL_SECONDS,
    NoWorkerError,
    RequestRefusedError,
    ask_status,
)
from batching_demo.operator.shards import (
    OperatorError,
    ShardMissingError,
    ShardPausedError,
    describe,
)

Remains = Callable[[Client, int], Awaitable[str | None]]
"""Returns what a batcher still has to do; None once it is done."""


class RemainsError(OperatorError):
    """A batcher was not done in time; the message says what remains."""

    def __init__(self, shard: int, remains: str, seconds: float) -> None:
        super().__init__(
            f"{batcher_workflow_id(shard)}: not done after {seconds:g} s: {remains};"
            " it goes on, and stays closed until `batching-demo batcher resume`"
        )


async def without_verdict(client: Client, shard: int) -> str | None:
    """Return how many accepted records have no verdict yet, and why; None if all have one.

    Raises:
        ShardMissingError: It does not run.
        RequestRefusedError: Someone has resumed it.
    """
    await describe(client, shard)
    try:
        status = await ask_status(client, shard)
    except (NoWorkerError, ShardPausedError) as error:
        return str(error)
    if status.mode not in (Mode.DRAINING, Mode.STOPPING):
        raise RequestRefusedError(
            f"{batcher_workflow_id(shard)} is {status.mode}: someone has resumed it meanwhile"
        )
    if status.open_records == 0:
        return None
    failing = f", the database fails: {status.last_error}" if status.last_error else ""
    return f"no verdict yet for {count(status.open_records, 'record')}{failing}"


async def running(client: Client, shard: int) -> str | None:
    """Return why a batcher that was stopped still runs; None once it has ended.

    Raises:
        RequestRefusedError: Someone has resumed it.
    """
    try:
        return await without_verdict(client, shard) or "its last submissions are answered busy"
    except ShardMissingError:
        return None


async def wait_for(
    client: Client,
    shard: int,
    remains: Remains,
    seconds: float,
    report: Callable[[int, str], None],
) -> None:
    """Poll a batcher until nothing remains.

    Raises:
        RemainsError: Something still does.
    """
    last = "it has not answered"
    try:
        async with asyncio.timeout(seconds):
            while found := await remains(client, shard):
                last = found
                report(shard, last)
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise RemainsError(shard, last, seconds) from None
