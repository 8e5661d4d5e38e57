"""Start the retry of a dead letter, or attach to the one that runs."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from batching_demo.contracts.names import BATCHER_TASK_QUEUE, RETRY_WORKFLOW
from batching_demo.contracts.retries import RetryInput, RetryResult
from batching_demo.operator.causes import innermost_message
from batching_demo.temporal.executions import describe_execution, read_memo

SUBMITTED_MEMO = "submitted"
"""Memo with a digest of what the user gave, to tell two retries of one dead letter apart."""


class RetryFailedError(Exception):
    """A retry has no verdict; the message says why."""


@dataclass(frozen=True)
class RetryRequest:
    """One attempt at one dead letter."""

    input: RetryInput
    edited: bytes = b""
    """A corrected payload; empty for the dead letter's own record."""

    @property
    def digest(self) -> str:
        """The same for requests that submit the same."""
        return sha256(repr((self.input.key, self.edited)).encode()).hexdigest()


async def retry_dead_letter(client: Client, request: RetryRequest) -> RetryResult:
    """Retry a dead letter and wait for the verdict.

    Raises:
        RetryFailedError: It ended without one, or this attempt is made with something else.
        RPCError: Temporal stopped answering.
    """
    handle = await _start(client, request)
    try:
        return await handle.result()
    except WorkflowFailureError as error:
        message = innermost_message(error)
        raise RetryFailedError(f"{handle.id} ended without a verdict: {message}") from None


async def _start(client: Client, request: RetryRequest) -> WorkflowHandle[Any, RetryResult]:
    workflow_id = request.input.workflow_id
    try:
        return await client.start_workflow(
            RETRY_WORKFLOW,
            args=[request.input, request.edited],
            id=workflow_id,
            task_queue=BATCHER_TASK_QUEUE,
            result_type=RetryResult,
            # An attempt that was terminated left no verdict, so it is made again.
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
            memo={SUBMITTED_MEMO: request.digest},
            static_summary=(
                f"dead letter {request.input.dead_letter_id}, attempt {request.input.attempt}"
            ),
        )
    except WorkflowAlreadyStartedError:
        handle = client.get_workflow_handle(workflow_id, result_type=RetryResult)
        execution = await describe_execution(client, workflow_id)
        if await read_memo(client, execution, SUBMITTED_MEMO, default="") != request.digest:
            raise RetryFailedError(
                f"{workflow_id} was started with another payload or key: wait for its verdict,"
                " then retry again"
            ) from None
        return handle
