"""The database that a Temporal namespace is for, as the memo of its database workflow says."""

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from batching_demo.contracts.identity import (
    DATABASE_WORKFLOW,
    DATABASE_WORKFLOW_ID,
    IDENTITY_MEMO,
)
from batching_demo.contracts.names import BATCHER_TASK_QUEUE
from batching_demo.temporal.executions import Execution, find_execution, read_memo


async def find_database(client: Client) -> str | None:
    """Return the identity of the namespace's database; None if it has none yet.

    Raises:
        MemoUnreadableError: A worker with a payload codec has written it.
        RPCError: Temporal does not answer.
    """
    found = await find_execution(client, DATABASE_WORKFLOW_ID)
    return await _identity(client, found) if found and found.is_open else None


async def find_last_database(client: Client) -> str | None:
    """Return what `find_database` does, or did before somebody ended the database workflow.

    It is None as long as no batcher worker has run in the namespace.

    Raises:
        MemoUnreadableError: A worker with a payload codec has written it.
        RPCError: Temporal does not answer.
    """
    found = await find_execution(client, DATABASE_WORKFLOW_ID)
    return await _identity(client, found) if found else None


async def _identity(client: Client, found: Execution) -> str | None:
    identity: str | None = await read_memo(client, found, IDENTITY_MEMO, default=None)
    return identity


async def claim(client: Client, identity: str) -> str:
    """Make the namespace this database's unless it is another's, and return whose it is.

    Raises:
        RPCError: Temporal does not answer.
    """
    if found := await find_database(client):
        return found
    try:
        await _start(client, identity, WorkflowIDConflictPolicy.FAIL)
    except WorkflowAlreadyStartedError:
        # Another worker was faster.
        if found := await find_database(client):
            return found
        raise
    return identity


async def move(client: Client, identity: str) -> None:
    """Make the namespace this database's, whosever it was.

    Raises:
        RPCError: Temporal does not answer.
    """
    await _start(client, identity, WorkflowIDConflictPolicy.TERMINATE_EXISTING)


async def _start(client: Client, identity: str, on_conflict: WorkflowIDConflictPolicy) -> None:
    await client.start_workflow(
        DATABASE_WORKFLOW,
        id=DATABASE_WORKFLOW_ID,
        task_queue=BATCHER_TASK_QUEUE,
        id_conflict_policy=on_conflict,
        memo={IDENTITY_MEMO: identity},
        static_summary=f"this namespace is for database {identity}",
    )
