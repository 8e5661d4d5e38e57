"""Start the retry of a dead letter, or attach to the one that runs."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
)
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from batching_demo.batcher_service.messages import SETTINGS_MEMO
from batching_demo.batcher_service.retry.messages import (
    RetryInput,
    RetryResult,
    retry_workflow_id,
)
from batching_demo.batcher_service.retry.workflow import SHARD, RetryWorkflow
from batching_demo.contracts.messages import BatcherSettings
from batching_demo.contracts.names import BATCHER_TASK_QUEUE, batcher_workflow_id

SUBMITTED_MEMO = "submitted"
"""Memo with a digest of what the user gave, to tell two retries of one letter apart."""


class RetryFailedError(Exception):
    """A retry has no verdict; the message says why."""


@dataclass(frozen=True)
class Retry:
    """One attempt at one letter."""

    input: RetryInput
    edited: bytes = b""
    """A corrected payload; empty for the letter's own record."""

    @property
    def digest(self) -> str:
        """Tell what this submits."""
        return sha256(repr((self.input.key, self.edited)).encode()).hexdigest()


async def batcher_linger(client: Client) -> float | None:
    """Tell how long the batcher that retries go to lets records wait; None if it does not run."""
    try:
        description = await client.get_workflow_handle(batcher_workflow_id(SHARD)).describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None
    if description.status is not WorkflowExecutionStatus.RUNNING:
        return None
    settings = await description.memo_value(SETTINGS_MEMO, default={})
    return float(settings.get("linger_seconds", BatcherSettings().linger_seconds))


async def retry_letter(client: Client, retry: Retry) -> RetryResult:
    """Retry a letter and wait for the verdict.

    Raises:
        RetryFailedError: it ended without one, or this attempt is made with something else.
        RPCError: Temporal stopped answering.
    """
    handle = await _start(client, retry)
    try:
        return await handle.result()
    except WorkflowFailureError as error:
        cause = error.cause
        while cause.__cause__ is not None:
            cause = cause.__cause__
        message = cause.message if isinstance(cause, ApplicationError) else str(cause)
        raise RetryFailedError(f"{handle.id} ended without a verdict: {message}") from None


async def _start(client: Client, retry: Retry) -> WorkflowHandle[Any, RetryResult]:
    letter_id, attempt = retry.input.letter_id, retry.input.attempt
    workflow_id = retry_workflow_id(letter_id, attempt)
    try:
        return await client.start_workflow(
            RetryWorkflow.run,
            args=[retry.input, retry.edited],
            id=workflow_id,
            task_queue=BATCHER_TASK_QUEUE,
            # An attempt that was terminated left no verdict, so it is made again.
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
            memo={SUBMITTED_MEMO: retry.digest},
            static_summary=f"letter {letter_id}, attempt {attempt}",
        )
    except WorkflowAlreadyStartedError:
        handle = client.get_workflow_handle(workflow_id, result_type=RetryResult)
        description = await handle.describe()
        if await description.memo_value(SUBMITTED_MEMO, default="") != retry.digest:
            raise RetryFailedError(
                f"{workflow_id} was started with another payload or key: wait for its verdict,"
                " then retry again"
            ) from None
        return handle
