"""What Temporal knows of a workflow execution, by what the server says.

The SDK of today raises an error for a status that it does not know, such as that of a workflow that
somebody has paused.
"""

from dataclasses import dataclass
from typing import Any

from temporalio.api.common.v1 import Payload, WorkflowExecution
from temporalio.api.enums.v1 import VersioningBehavior, WorkflowExecutionStatus
from temporalio.api.workflow.v1 import WorkflowExecutionVersioningInfo
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    ListWorkflowExecutionsRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from batching_demo.contracts.errors import UserError
from batching_demo.contracts.payloads import ENCODING, UndecodableError, is_encrypted, key_missing
from batching_demo.settings import CLIENT_PLUGIN
from batching_demo.temporal.deployment import Version, read_version

PAUSED, COMPLETED = "paused", "completed"
CONTINUED_AS_NEW = "continued_as_new"
CLOSED = (COMPLETED, "failed", "canceled", "terminated", CONTINUED_AS_NEW, "timed_out")
_PREFIX = "WORKFLOW_EXECUTION_STATUS_"


class MemoUnreadableError(UserError):
    """The memo of a workflow cannot be decoded; the message says why."""


@dataclass(frozen=True)
class Execution:
    """One run of a workflow."""

    workflow_id: str
    run_id: str
    status: str
    """In lower case, as the server names it; a number if this version has no name for it."""
    history_length: int
    task_attempts: int
    """Attempts at the workflow task that is pending; 0 if none is."""
    memo: dict[str, Payload]
    """Still encoded."""
    pinned: Version = None
    """The only version of workers that may go on with it; None if any may."""

    @property
    def is_open(self) -> bool:
        """Whether it has not ended, as far as this version knows; paused ones go on later."""
        return self.status not in CLOSED


async def describe_execution(client: Client, workflow_id: str, run_id: str = "") -> Execution:
    """Describe the latest run of a workflow, or the one that is named.

    Raises:
        RPCError: It does not exist, or the server does not answer.
    """
    found = await client.workflow_service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(
            namespace=client.namespace,
            execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
        ),
        retry=True,
    )
    info = found.workflow_execution_info
    return Execution(
        workflow_id=info.execution.workflow_id,
        run_id=info.execution.run_id,
        status=status_name(info.status),
        history_length=info.history_length,
        task_attempts=found.pending_workflow_task.attempt,
        memo=dict(info.memo.fields),
        pinned=read_pinned(info.versioning_info),
    )


async def find_execution(client: Client, workflow_id: str) -> Execution | None:
    """Describe the latest run of a workflow; None if there is none of this id.

    Raises:
        RPCError: The server does not answer.
    """
    try:
        return await describe_execution(client, workflow_id)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None


def read_pinned(info: WorkflowExecutionVersioningInfo) -> Version:
    """Return the version that a workflow is pinned to, by an operator or by its worker."""
    if info.HasField("versioning_override"):
        override = info.versioning_override
        # At most one of them names a version.
        once = read_version(override.one_time.target_deployment_version)
        return once or read_version(override.pinned.version)
    is_pinned = info.behavior == VersioningBehavior.VERSIONING_BEHAVIOR_PINNED
    return read_version(info.deployment_version) if is_pinned else None


async def list_executions(client: Client, query: str) -> list[str]:
    """List the ids of the workflows that a query finds."""
    found: list[str] = []
    token = b""
    while True:
        page = await client.workflow_service.list_workflow_executions(
            ListWorkflowExecutionsRequest(
                namespace=client.namespace, query=query, next_page_token=token
            ),
            retry=True,
        )
        found += [info.execution.workflow_id for info in page.executions]
        if not (token := page.next_page_token):
            return found


async def read_memo(client: Client, execution: Execution, name: str, default: Any) -> Any:
    """Decode a value of the memo.

    Raises:
        UndecodableError: It is encrypted, and this client lacks the key.
        MemoUnreadableError: It is encoded in another way that this client does not know.
    """
    if name not in execution.memo:
        return default
    payload = execution.memo[name]
    try:
        (value,) = await client.data_converter.decode([payload])
    except UndecodableError:
        raise
    except Exception:  # a codec may raise anything
        if is_encrypted(payload):
            raise key_missing(payload) from None
        encoding = payload.metadata.get(ENCODING, b"none").decode(errors="replace")
        raise MemoUnreadableError(
            f"{execution.workflow_id}: its memo has the encoding {encoding!r}, which this command"
            " cannot read: a program of yours started it with a payload codec, which the commands"
            f" need too: name a plugin that has it with {CLIENT_PLUGIN}"
        ) from None
    return value


def status_name(status: int) -> str:
    """Name a status as the server does."""
    try:
        name: str = WorkflowExecutionStatus.Name(status)  # type: ignore[arg-type]  # any number
    except ValueError:
        return f"status {status}"
    return name.removeprefix(_PREFIX).lower()
