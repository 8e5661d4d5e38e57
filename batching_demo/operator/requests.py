"""Ask running batchers for their status, and request what an operator wants."""

import asyncio
from datetime import timedelta

from temporalio.client import (
    Client,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.service import RPCError, RPCStatusCode

from batching_demo.contracts.names import BATCHER_TASK_QUEUE, batcher_workflow_id
from batching_demo.contracts.operations import STATUS_QUERY, BatcherStatus, Done, Update
from batching_demo.operator.causes import innermost_message
from batching_demo.operator.failing_task import describe_failing_task
from batching_demo.operator.shards import OperatorError, ShardPausedError, describe
from batching_demo.temporal.pollers import advise_to_start

QUERY_SECONDS = 4.0
UPDATE_SECONDS = 10.0
POLL_SECONDS = 0.5
START_WORKER = "start one with `batching-demo batcher worker`"

AGAIN = (
    RPCStatusCode.ABORTED,
    RPCStatusCode.FAILED_PRECONDITION,
    RPCStatusCode.NOT_FOUND,
    RPCStatusCode.UNAVAILABLE,
)


class RequestRefusedError(OperatorError):
    """A batcher does not do what was asked; the message says why."""


class NoWorkerError(OperatorError):
    """No worker answers for a batcher; the message says how to start one."""

    @classmethod
    async def of(cls, client: Client, shard: int, seconds: float) -> "NoWorkerError":
        """Return the error, with what to do about it.

        Raises:
            ShardMissingError: The batcher does not run.
        """
        version = (await describe(client, shard)).version
        advice = await advise_to_start(client, BATCHER_TASK_QUEUE, version)
        workflow_id = batcher_workflow_id(shard)
        return cls(f"{workflow_id}: no worker answered within {seconds:.0f} s: {advice}")


async def ask_status(client: Client, shard: int) -> BatcherStatus:
    """Ask a batcher what it is doing.

    Raises:
        NoWorkerError: Nobody answers.
        ShardPausedError: It is paused in Temporal.
    """
    handle = client.get_workflow_handle(batcher_workflow_id(shard))
    try:
        async with asyncio.timeout(QUERY_SECONDS):
            status: BatcherStatus = await handle.query(
                STATUS_QUERY,
                result_type=BatcherStatus,
                rpc_timeout=timedelta(seconds=QUERY_SECONDS),
            )
            return status
    except (TimeoutError, WorkflowQueryFailedError):
        raise await NoWorkerError.of(client, shard, QUERY_SECONDS) from None
    except (ValueError, WorkflowQueryRejectedError):
        # The server rejects queries of a paused workflow; the SDK may not know that status.
        raise ShardPausedError(shard) from None
    except RPCError:
        raise await NoWorkerError.of(client, shard, QUERY_SECONDS) from None


async def request(client: Client, shard: int, update: Update, *arguments: object) -> Done:
    """Have a batcher do something, and return what it did. Asked twice, it does it once.

    Raises:
        ShardMissingError: It does not run.
        RequestRefusedError: It does not do that now.
        NoWorkerError: Nobody answers.
        ShardPausedError: It is paused in Temporal.
    """
    try:
        async with asyncio.timeout(UPDATE_SECONDS):
            while True:
                if (await describe(client, shard)).is_paused:
                    raise ShardPausedError(shard)
                try:
                    return await _request_once(client, shard, update, arguments)
                except RPCError as error:
                    # Its run has ended, or its task met a new signal: nothing has been done.
                    if error.status not in AGAIN:
                        raise
                await asyncio.sleep(POLL_SECONDS)
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
        if failing := await describe_failing_task(client, await describe(client, shard)):
            raise RequestRefusedError(failing) from None
        raise await NoWorkerError.of(client, shard, UPDATE_SECONDS) from None


async def _request_once(
    client: Client, shard: int, update: Update, arguments: tuple[object, ...]
) -> Done:
    handle = client.get_workflow_handle(batcher_workflow_id(shard))
    try:
        done: Done = await handle.execute_update(update, args=arguments, result_type=Done)
    except WorkflowUpdateFailedError as error:
        raise RequestRefusedError(
            f"{batcher_workflow_id(shard)} {innermost_message(error)}"
        ) from None
    return done
