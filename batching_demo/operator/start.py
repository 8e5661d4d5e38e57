"""Make sure that a batcher runs for every shard, at first and when their number changes.

Any shard may write any key: new batchers need nothing of the others, and whoever finds its shard
ended goes to shard 0, which is why that one never ends when the number changes.
"""

from collections.abc import Container
from dataclasses import asdict, dataclass

from temporalio.client import Client
from temporalio.common import SearchAttributePair
from temporalio.exceptions import WorkflowAlreadyStartedError

from batching_demo.contracts.names import (
    BATCHER_TASK_QUEUE,
    BATCHER_WORKFLOW,
    COMMON_SHARD,
    batcher_workflow_id,
)
from batching_demo.contracts.operations import (
    SETTINGS_MEMO,
    BatcherInput,
    BatcherSettings,
    Mode,
    Update,
)
from batching_demo.operator.requests import NoWorkerError, ask_status, request
from batching_demo.operator.shards import ShardMissingError, ShardPausedError, describe
from batching_demo.temporal.search_attributes import SHARD, attributes, registered_attributes


@dataclass(frozen=True)
class Started:
    """What starting a shard's batcher came to."""

    workflow_id: str
    is_new: bool
    differences: list[str]
    """Settings of the running batcher that are not the wanted ones."""


async def start_batchers(client: Client, shards: int, settings: BatcherSettings) -> list[Started]:
    """Start a batcher for every shard that has none; leave running ones as they are."""
    registered = await registered_attributes(client)
    return [await _start(client, shard, settings, registered) for shard in range(shards)]


async def start_batcher(client: Client, shard: int, settings: BatcherSettings) -> Started:
    """Start the batcher of a shard; leave one that runs as it is."""
    return await _start(client, shard, settings, await registered_attributes(client))


async def _start(
    client: Client, shard: int, settings: BatcherSettings, registered: Container[str]
) -> Started:
    workflow_id = batcher_workflow_id(shard)
    try:
        await client.start_workflow(
            BATCHER_WORKFLOW,
            args=[BatcherInput(shard, settings), b""],
            id=workflow_id,
            task_queue=BATCHER_TASK_QUEUE,
            memo={SETTINGS_MEMO: asdict(settings)},
            search_attributes=attributes(registered, SearchAttributePair(SHARD, shard)),
            static_summary=f"batcher of shard {shard}",
        )
    except WorkflowAlreadyStartedError:
        try:
            found = await describe(client, shard)
        except ShardMissingError:
            # It has ended in between.
            return await _start(client, shard, settings, registered)
        if found.is_paused:
            raise ShardPausedError(shard) from None
        differences = _differences(found.settings, settings)
        return Started(workflow_id, is_new=False, differences=differences)
    return Started(workflow_id, is_new=True, differences=[])


def _differences(running: BatcherSettings, wanted: BatcherSettings) -> list[str]:
    found, others = asdict(running), asdict(wanted)
    return [
        f"{name} is {found[name]:g}, not {other:g}"
        for name, other in others.items()
        if found[name] != other
    ]


async def settings_for_new(client: Client) -> BatcherSettings:
    """Return the settings that new shards get.

    Raises:
        ShardMissingError: Shard 0 does not run.
    """
    return (await describe(client, COMMON_SHARD)).settings


async def keep(client: Client, shard: int, settings: BatcherSettings) -> str:
    """Start a shard's batcher, or keep it from ending, and return what was done."""
    workflow_id = batcher_workflow_id(shard)
    started = await start_batcher(client, shard, settings)
    if started.is_new:
        return f"{workflow_id}: started"
    if not await _is_stopping(client, shard):
        return f"{workflow_id}: runs already"
    try:
        done = await request(client, shard, Update.RESUME)
    except ShardMissingError:
        # It has ended in between.
        return await keep(client, shard, settings)
    return f"{workflow_id}: {done.message}"


async def _is_stopping(client: Client, shard: int) -> bool:
    try:
        return (await ask_status(client, shard)).mode == Mode.STOPPING
    except (NoWorkerError, ShardMissingError, ShardPausedError):
        return False
