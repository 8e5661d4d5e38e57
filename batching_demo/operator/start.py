"""Make sure that a batcher runs for every shard."""

from collections.abc import Container
from dataclasses import asdict, dataclass

from temporalio.client import Client
from temporalio.common import SearchAttributePair
from temporalio.exceptions import WorkflowAlreadyStartedError

from batching_demo.batcher_service.messages import SETTINGS_MEMO
from batching_demo.contracts.messages import Batcher, BatcherInput, BatcherSettings
from batching_demo.contracts.names import BATCHER_TASK_QUEUE, batcher_workflow_id
from batching_demo.operator.shards import ShardMissingError, describe
from batching_demo.search_attributes import SHARD, attributes, registered_attributes


@dataclass(frozen=True)
class Started:
    """One shard's batcher after starting."""

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
            Batcher.run,
            args=[BatcherInput(shard, settings), b""],
            id=workflow_id,
            task_queue=BATCHER_TASK_QUEUE,
            memo={SETTINGS_MEMO: asdict(settings)},
            search_attributes=attributes(registered, SearchAttributePair(SHARD, shard)),
            static_summary=f"batcher of shard {shard}",
        )
    except WorkflowAlreadyStartedError:
        try:
            running = (await describe(client, shard)).settings
        except ShardMissingError:
            # It has ended in between.
            return await _start(client, shard, settings, registered)
        return Started(workflow_id, is_new=False, differences=_differences(running, settings))
    return Started(workflow_id, is_new=True, differences=[])


def _differences(running: BatcherSettings, wanted: BatcherSettings) -> list[str]:
    found, others = asdict(running), asdict(wanted)
    return [
        f"{name} is {found[name]:g}, not {other:g}"
        for name, other in others.items()
        if name != "version" and found[name] != other
    ]
