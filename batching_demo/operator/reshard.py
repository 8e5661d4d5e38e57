"""Change the number of batchers while records wait.

Any shard may write any key: new ones need nothing of the others, and whoever finds its shard
closed goes to shard 0, which is why that one never closes here.
"""

from temporalio.client import Client

from batching_demo.batcher_service.workflow import BatcherWorkflow
from batching_demo.contracts.messages import BatcherSettings
from batching_demo.contracts.names import batcher_workflow_id
from batching_demo.core.control import Mode
from batching_demo.operator.requests import NoWorkerError, ask_status, request
from batching_demo.operator.shards import ShardMissingError, describe
from batching_demo.operator.start import start_batcher

REFERENCE_SHARD = 0
"""Its settings are those of new shards."""


async def settings_for_new(client: Client) -> BatcherSettings:
    """Read the settings that new shards get.

    Raises:
        ShardMissingError: shard 0 does not run.
    """
    return (await describe(client, REFERENCE_SHARD)).settings


async def keep(client: Client, shard: int, settings: BatcherSettings) -> str:
    """Have a batcher for a shard: start it, or keep one from ending; say what was done."""
    workflow_id = batcher_workflow_id(shard)
    started = await start_batcher(client, shard, settings)
    if started.is_new:
        return f"{workflow_id}: started"
    if not await _is_stopping(client, shard):
        return f"{workflow_id}: runs already"
    try:
        done = await request(client, shard, BatcherWorkflow.resume)
    except ShardMissingError:
        # It has ended in between.
        return await keep(client, shard, settings)
    return f"{workflow_id}: {done.message}"


async def _is_stopping(client: Client, shard: int) -> bool:
    try:
        return (await ask_status(client, shard)).mode == Mode.STOPPING
    except (NoWorkerError, ShardMissingError):
        return False
