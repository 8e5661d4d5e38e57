"""Talk to running batchers, and wait for what they say."""

from collections.abc import Sequence
from typing import Any

from temporalio.client import Client, WorkflowHandle

from batching_demo.batcher_service.batcher.workflow import BatcherWorkflow
from batching_demo.contracts.encoding import PreparedRecord, join
from batching_demo.contracts.names import SUBMIT_SIGNAL, batcher_workflow_id
from batching_demo.contracts.operations import BatcherStatus
from tests.support.records import submission
from tests.support.waiting import eventually


def batcher(client: Client, shard: int = 0) -> WorkflowHandle[Any, Any]:
    """Return a handle of a shard's batcher."""
    return client.get_workflow_handle(batcher_workflow_id(shard))


async def status(client: Client, shard: int = 0) -> BatcherStatus:
    """Ask a batcher how it is."""
    return await batcher(client, shard).query(BatcherWorkflow.status)


async def submit(
    client: Client,
    *submissions: tuple[str, Sequence[PreparedRecord]],
    requester: str = "nobody",
    shard: int = 0,
) -> None:
    """Signal submissions to a batcher, as a requester would."""
    made = [submission(name, records, requester) for name, records in submissions]
    await batcher(client, shard).signal(SUBMIT_SIGNAL, args=join(made))


async def expect_error(client: Client, words: str) -> BatcherStatus:
    """Wait until a batcher says what is wrong."""

    async def check() -> BatcherStatus:
        found = await status(client)
        assert words in found.last_error
        return found

    return await eventually(check)


async def expect_buffered(client: Client, records: int) -> None:
    """Wait until a batcher buffers so many records."""

    async def check() -> None:
        assert (await status(client)).buffered_records == records

    await eventually(check)
