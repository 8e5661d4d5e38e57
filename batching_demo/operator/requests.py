"""Control running batchers: ask for status, and request what an operator wants."""

import asyncio
from datetime import timedelta

from temporalio.client import (
    Client,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.workflow import UpdateMethodMultiParam

from batching_demo.batcher_service.messages import BatcherStatus, Done
from batching_demo.batcher_service.workflow import BatcherWorkflow
from batching_demo.contracts.names import batcher_workflow_id
from batching_demo.operator.shards import OperatorError, describe

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
Update = UpdateMethodMultiParam[..., Done]


class RequestRefusedError(OperatorError):
    """A batcher does not do what was asked; the message says why."""


class NoWorkerError(OperatorError):
    """No worker answers for a batcher; the message says how to start one."""

    def __init__(self, shard: int, seconds: float) -> None:
        super().__init__(
            f"{batcher_workflow_id(shard)}: no worker answered within {seconds:.0f} s:"
            f" {START_WORKER}"
        )


async def ask_status(client: Client, shard: int) -> BatcherStatus:
    """Ask a batcher what it is doing.

    Raises:
        NoWorkerError: nobody answers.
    """
    handle = client.get_workflow_handle(batcher_workflow_id(shard))
    try:
        async with asyncio.timeout(QUERY_SECONDS):
            return await handle.query(
                BatcherWorkflow.status, rpc_timeout=timedelta(seconds=QUERY_SECONDS)
            )
    except (TimeoutError, WorkflowQueryFailedError):
        raise NoWorkerError(shard, QUERY_SECONDS) from None
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            await describe(client, shard)
        raise NoWorkerError(shard, QUERY_SECONDS) from None


async def request(client: Client, shard: int, update: Update, *arguments: object) -> Done:
    """Have a batcher do something; asked twice, it does it once and says so.

    Raises:
        ShardMissingError: it does not run.
        RequestRefusedError: it does not do that now.
        NoWorkerError: nobody answers.
    """
    try:
        async with asyncio.timeout(UPDATE_SECONDS):
            while True:
                await describe(client, shard)
                try:
                    return await _request_once(client, shard, update, arguments)
                except RPCError as error:
                    # Its run has ended, or its task met a new signal: nothing has been done.
                    if error.status not in AGAIN:
                        raise
                await asyncio.sleep(POLL_SECONDS)
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
        raise NoWorkerError(shard, UPDATE_SECONDS) from None


async def _request_once(
    client: Client, shard: int, update: Update, arguments: tuple[object, ...]
) -> Done:
    handle = client.get_workflow_handle(batcher_workflow_id(shard))
    try:
        return await handle.execute_update(update, args=arguments)
    except WorkflowUpdateFailedError as error:
        cause = error.cause
        message = cause.message if isinstance(cause, ApplicationError) else str(cause)
        raise RequestRefusedError(f"{batcher_workflow_id(shard)} {message}") from None
