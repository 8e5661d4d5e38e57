"""Why the workflow task of a batcher fails again and again, and the way out."""

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.api.history.v1 import WorkflowTaskFailedEventAttributes
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryReverseRequest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from batching_demo.contracts.names import batcher_workflow_id
from batching_demo.contracts.payloads import UndecodableError
from batching_demo.operator.causes import innermost
from batching_demo.operator.shards import Described

NORMAL_TASK_ATTEMPTS = 2
"""A task that a burst of signals interrupts is tried again at once."""
LAST_EVENTS = 20
LONGEST_CAUSE = 200


async def describe_failing_task(client: Client, described: Described) -> str:
    """Return a line with cause and way out if a workflow task fails repeatedly, else an empty text.

    A batcher in this state takes no request, so none of its own commands mends it.
    """
    if described.task_attempts <= NORMAL_TASK_ATTEMPTS:
        return ""
    workflow_id, shards = batcher_workflow_id(described.shard), described.shard + 1
    failing = f"{workflow_id} cannot finish its workflow task (attempt {described.task_attempts},"
    try:
        cause = await _cause(client, workflow_id, described.run_id)
    except UndecodableError as error:
        return (
            f"{failing} {error}) and takes no requests: start its workers with the right keys, and"
            " it goes on by itself; no record is lost"
        )
    return (
        f"{failing} {cause}) and takes no requests: restart its workers with the newest release; if"
        f" it still fails, terminate it with `temporal workflow terminate --workflow-id"
        f" {workflow_id}` or in the Web UI, then `batching-demo batcher start --shards {shards}`;"
        " no record is lost, since the workflows that wait for verdicts submit again"
    )


async def _cause(client: Client, workflow_id: str, run_id: str) -> str:
    """Return the cause of the last failure.

    Raises:
        UndecodableError: A key is the cause, or this client lacks the key that hides the cause.
    """
    request = GetWorkflowExecutionHistoryReverseRequest(
        namespace=client.namespace,
        execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
        maximum_page_size=LAST_EVENTS,
    )
    found = await client.workflow_service.get_workflow_execution_history_reverse(request)
    for event in found.history.events:
        if event.HasField("workflow_task_timed_out_event_attributes"):
            return "no worker finished it in time"
        if event.HasField("workflow_task_failed_event_attributes"):
            return await _failure(client, event.workflow_task_failed_event_attributes)
    return "see the worker's log"


async def _failure(client: Client, failed: WorkflowTaskFailedEventAttributes) -> str:
    kind = WorkflowTaskFailedCause.Name(failed.cause)
    kind = kind.removeprefix("WORKFLOW_TASK_FAILED_CAUSE_").replace("_", " ").lower()
    try:
        error = await client.data_converter.decode_failure(failed.failure)
    except UndecodableError:
        raise
    except Exception:  # a codec may raise anything
        return kind
    _raise_what_is_about_keys(error)
    message = " ".join(str(error).split())[:LONGEST_CAUSE]
    return f"{kind}: {message}" if message else kind


def _raise_what_is_about_keys(error: BaseException) -> None:
    cause = innermost(error)
    if isinstance(cause, ApplicationError) and cause.type == UndecodableError.__name__:
        raise UndecodableError(cause.message)
