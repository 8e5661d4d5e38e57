"""Refuse a comparison in which a path would wait for ever."""

import asyncio
import time

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.comparison.compare import Comparison, ComparisonError
from batching_demo.contracts.names import (
    BATCHER_TASK_QUEUE,
    DIRECT,
    MAIN_TASK_QUEUE,
    WritePath,
    batcher_workflow_id,
)
from batching_demo.database.identity import read_identity
from batching_demo.operator.identity import check_database
from batching_demo.operator.queue import look_at_queue
from batching_demo.operator.shards import ShardMissingError, ShardPausedError, describe
from batching_demo.settings import QUEUE_URL
from batching_demo.temporal.pollers import find_worker_problem

POLL_SECONDS = 0.1
WORKER_SECONDS = 2.0
"""How long to look for a worker: one that has just started shows up a little later."""


async def check_preconditions(
    client: Client, engine: AsyncEngine, comparison: Comparison, seconds: float = WORKER_SECONDS
) -> None:
    """Check schema and workers, and the batchers if a path needs them.

    Raises:
        ComparisonError: Something is missing; the message names the command that starts it.
        IdentityError: The batcher service writes to another database.
        SQLAlchemyError: The database does not answer, or has no schema.
    """
    async with engine.connect() as connection:
        await connection.execute(text("SELECT FROM write_counts LIMIT 0"))
    await _check_worker(client, BATCHER_TASK_QUEUE, seconds)
    if set(comparison.paths) != {DIRECT}:
        await _check_worker(client, MAIN_TASK_QUEUE, seconds)
    await check_database(client, await read_identity(engine))
    if WritePath.QUEUED in comparison.paths:
        await _check_queue(comparison.queue_url, client.namespace, seconds)
    shards = comparison.shards if WritePath.BATCHED in comparison.paths else 0
    for shard in range(shards):
        await _check_batcher(client, shard, comparison.shards)


async def _check_worker(client: Client, queue: str, seconds: float) -> None:
    """Check that a worker gets the tasks of a queue. It may have just started."""
    deadline = time.monotonic() + seconds
    while problem := await find_worker_problem(client, queue):
        if time.monotonic() > deadline:
            raise ComparisonError(problem)
        await asyncio.sleep(POLL_SECONDS)


async def _check_queue(queue_url: str, namespace: str, seconds: float) -> None:
    """Check that a batcher worker consumes the queue. It may have just started."""
    if not queue_url:
        raise ComparisonError(
            f"the path queued needs a queue: set {QUEUE_URL} here and for all workers;"
            " `batching-demo dev up --queue` starts one"
        )
    deadline = time.monotonic() + seconds
    while not (found := await look_at_queue(queue_url, namespace)).is_consumed:
        if time.monotonic() > deadline:
            raise ComparisonError(
                f"no batcher worker consumes {found.place}: start `batching-demo batcher worker`"
                f" with {QUEUE_URL}"
            )
        await asyncio.sleep(POLL_SECONDS)


async def _check_batcher(client: Client, shard: int, shards: int) -> None:
    try:
        if (await describe(client, shard)).is_paused:
            raise ComparisonError(str(ShardPausedError(shard)))
    except ShardMissingError:
        raise ComparisonError(
            f"{batcher_workflow_id(shard)} does not run: start it with"
            f" `batching-demo batcher start --shards {shards}`"
        ) from None
