"""Ask the batcher service which database it writes to, and check that it is the same."""

import asyncio

from temporalio.client import (
    Client,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.service import RPCError

from batching_demo.contracts.errors import UserError
from batching_demo.contracts.identity import (
    DATABASE_WORKFLOW_ID,
    IDENTIFY_UPDATE,
    describe_mismatch,
)
from batching_demo.contracts.names import BATCHER_TASK_QUEUE
from batching_demo.operator.causes import innermost_message
from batching_demo.operator.requests import AGAIN, POLL_SECONDS
from batching_demo.temporal.deployment import Version
from batching_demo.temporal.executions import PAUSED, find_execution
from batching_demo.temporal.namespace_database import find_database
from batching_demo.temporal.pollers import find_missing_version, find_version_problem


class IdentityError(UserError):
    """The batcher service writes to another database, or cannot say to which."""


async def ask_identity(client: Client) -> str:
    """Return the identity of the database that the namespace is for, from a worker that looks.

    It waits for a worker.

    Raises:
        IdentityError: The worker has another database, or cannot look.
        RPCError: Temporal does not answer.
    """
    handle = client.get_workflow_handle(DATABASE_WORKFLOW_ID)
    while True:
        try:
            identity: str = await handle.execute_update(IDENTIFY_UPDATE, result_type=str)
            return identity
        except WorkflowUpdateFailedError as error:
            raise IdentityError(innermost_message(error)) from None
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            # The client raises this in a task that is cancelled, too.
            task = asyncio.current_task()
            if task and task.cancelling():
                raise asyncio.CancelledError from None
        except RPCError as error:
            # No worker has ever polled, or `db adopt` has just replaced the workflow.
            if error.status not in AGAIN:
                raise
        await asyncio.sleep(POLL_SECONDS)


async def describe_obstacle(client: Client) -> str:
    """Return what keeps the workflow that is asked from answering, and what to do; else nothing.

    Somebody has paused it, or no worker has the version that it needs.

    Raises:
        RPCError: Temporal does not answer.
    """
    found = await find_execution(client, DATABASE_WORKFLOW_ID)
    if found is None:
        return ""
    if found.status != PAUSED:
        return await _describe_missing_worker(client, found.pinned)
    return (
        f"{DATABASE_WORKFLOW_ID} is paused in Temporal, so the database cannot be learned:"
        f" `temporal workflow unpause --workflow-id {DATABASE_WORKFLOW_ID}` unpauses it"
    )


async def _describe_missing_worker(client: Client, pinned: Version) -> str:
    if pinned is None:
        return await find_version_problem(client, BATCHER_TASK_QUEUE)
    missing = await find_missing_version(client, BATCHER_TASK_QUEUE, pinned)
    return f"{DATABASE_WORKFLOW_ID} {missing}" if missing else ""


async def check_database(client: Client, identity: str) -> None:
    """Check that a database is that of the namespace, or that the namespace has none yet.

    Args:
        client: Of the namespace.
        identity: Of the database.

    Raises:
        IdentityError: It is not; the message says what to do.
        RPCError: Temporal does not answer.
    """
    expected = await find_database(client)
    if expected not in (None, identity):
        raise IdentityError(describe_mismatch(client.namespace, expected, identity))
