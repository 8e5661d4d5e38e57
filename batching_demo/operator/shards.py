"""Which batchers run, and what Temporal knows of each without asking a worker."""

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from temporalio.client import Client

from batching_demo.contracts.errors import UserError
from batching_demo.contracts.names import BATCHER_WORKFLOW, batcher_workflow_id
from batching_demo.contracts.operations import SETTINGS_MEMO, BatcherSettings
from batching_demo.temporal.deployment import Version
from batching_demo.temporal.executions import (
    PAUSED,
    Execution,
    find_execution,
    list_executions,
    read_memo,
)

PROBED_AT_ONCE = 20
"""Also how many missing numbers in a row end the search."""
_WORKFLOW_ID = re.compile(re.escape(batcher_workflow_id(0)[:-1]) + r"(\d+)")


class OperatorError(UserError):
    """A batcher does not do what an operator wants; the message is one line for them."""


class ShardMissingError(OperatorError):
    """A shard's batcher does not run; the message says how to start it."""

    def __init__(self, shard: int) -> None:
        super().__init__(
            f"{batcher_workflow_id(shard)} does not run: start it with"
            f" `batching-demo batcher start --shards {shard + 1}`"
        )


class ShardPausedError(OperatorError):
    """Somebody has paused a shard's batcher in Temporal; the message says how to go on."""

    def __init__(self, shard: int) -> None:
        workflow_id = batcher_workflow_id(shard)
        super().__init__(
            f"{workflow_id} is paused in Temporal, and its records wait: `temporal workflow unpause"
            f" --workflow-id {workflow_id}` unpauses it"
        )


@dataclass(frozen=True)
class Described:
    """What Temporal knows of a running batcher, whether or not a worker is there."""

    shard: int
    run_id: str
    history_events: int
    task_attempts: int
    """Attempts at the workflow task that is pending; 0 if none is."""
    settings: BatcherSettings
    """In force."""
    is_paused: bool = False
    """Whether somebody has paused it in Temporal, which is not `batcher pause`."""
    version: Version = None
    """Of the workers that it is pinned to; None if it is not."""


async def describe(client: Client, shard: int) -> Described:
    """Describe a running batcher.

    Raises:
        ShardMissingError: It does not run.
        MemoUnreadableError: Its settings cannot be read.
    """
    found = await find_execution(client, batcher_workflow_id(shard))
    if found is None or not found.is_open:
        raise ShardMissingError(shard)
    return Described(
        shard=shard,
        run_id=found.run_id,
        history_events=found.history_length,
        task_attempts=found.task_attempts,
        settings=await _settings(client, found),
        is_paused=found.status == PAUSED,
        version=found.pinned,
    )


async def _settings(client: Client, found: Execution) -> BatcherSettings:
    memo = await read_memo(client, found, SETTINGS_MEMO, default={})
    named = {field.name for field in fields(BatcherSettings)}
    return BatcherSettings(**{name: value for name, value in memo.items() if name in named})


async def running_shards(client: Client) -> list[int]:
    """Return the shards whose batchers run.

    Visibility lags behind and may not know the newest; so every number up to the largest that it
    knows is described, and beyond it until many in a row are missing.
    """
    running: list[int] = []
    largest = max(await _visible_shards(client), default=-1)
    start = 0
    while start <= max([largest, *running]) + 1:
        chunk = range(start, start + PROBED_AT_ONCE)
        running += await _running(client, chunk)
        start += PROBED_AT_ONCE
    return running


async def chosen_shards(client: Client, chosen: int | None) -> Sequence[int]:
    """Return the shards to act on: the chosen one, or all from 0 to the last that runs."""
    if chosen is not None:
        return [chosen]
    return range(max(await running_shards(client), default=0) + 1)


async def _visible_shards(client: Client) -> list[int]:
    query = f"WorkflowType = '{BATCHER_WORKFLOW}' AND ExecutionStatus = 'Running'"
    found = await list_executions(client, query)
    return [int(match[1]) for name in found if (match := _WORKFLOW_ID.fullmatch(name))]


async def _running(client: Client, shards: Iterable[int]) -> list[int]:
    async def probe(shard: int) -> int | None:
        try:
            return (await describe(client, shard)).shard
        except ShardMissingError:
            return None

    probed = await asyncio.gather(*(probe(shard) for shard in shards))
    return [shard for shard in probed if shard is not None]
