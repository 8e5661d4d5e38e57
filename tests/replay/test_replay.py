"""Histories of earlier code still replay; one that does not fit is noticed."""

import gzip
import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.workflow import SandboxImportNotificationPolicy

from batching_demo.batcher_service.batcher.workflow import BatcherWorkflow
from batching_demo.batcher_service.identity.workflow import DatabaseWorkflow
from batching_demo.batcher_service.retry.workflow import RetryWorkflow
from batching_demo.main_service.workflow import MainWorkflow
from batching_demo.requester.plugin import BatchingPlugin
from tools.recorded_orders import OrderWorkflow

HISTORIES = Path(__file__).parent / "histories"
KINDS = {
    "MainWorkflow": [
        "main_batched",
        "main_coalesced",
        "main_dead_letters",
        "main_queued",
        "main_turned_away",
        "main_unbatched",
    ],
    "BatcherWorkflow": [
        "batcher_first_run",
        "batcher_later_run",
        "batcher_control_first_run",
        "batcher_control_later_run",
        "batcher_outage_first_run",
        "batcher_outage_later_run",
        # In emoji, of the time before headers counted the bytes that travel.
        "batcher_labels",
    ],
    "DatabaseWorkflow": ["database"],
    "RetryWorkflow": ["retry_conflict", "retry_stored"],
    "OrderWorkflow": ["own_workflow"],
}
"""Every history that is kept, by the workflow that it is of."""
NAMES = [name for names in KINDS.values() for name in names]
WORKFLOWS = [MainWorkflow, BatcherWorkflow, DatabaseWorkflow, RetryWorkflow, OrderWorkflow]


def strict_sandbox() -> WorkflowRunner:
    """A sandbox that refuses a workflow file with an import that is not passed through."""
    policy = (
        SandboxImportNotificationPolicy.WARN_ON_DYNAMIC_IMPORT
        | SandboxImportNotificationPolicy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH
    )
    restrictions = SandboxRestrictions.default.with_import_notification_policy(policy)
    return SandboxedWorkflowRunner(restrictions=restrictions)


def replayer() -> Replayer:
    # The plugin passes our package through, for workflows of one's own that import it plainly.
    return Replayer(
        workflows=WORKFLOWS, workflow_runner=strict_sandbox(), plugins=[BatchingPlugin()]
    )


def text_of(name: str) -> str:
    return gzip.decompress((HISTORIES / f"{name}.json.gz").read_bytes()).decode()


@pytest.mark.parametrize("name", NAMES)
async def test_a_recorded_history_replays(name: str) -> None:
    await replayer().replay_workflow(WorkflowHistory.from_json(name, text_of(name)))


def test_the_files_are_those_of_the_list() -> None:
    assert sorted(path.name for path in HISTORIES.iterdir()) == sorted(
        f"{name}.json.gz" for name in NAMES
    )


@pytest.mark.parametrize(
    ("workflow", "name"), [(workflow, name) for workflow, names in KINDS.items() for name in names]
)
def test_a_history_is_what_its_name_says(workflow: str, name: str) -> None:
    started = json.loads(text_of(name))["events"][0]["workflowExecutionStartedEventAttributes"]
    assert started["workflowType"]["name"] == workflow
    assert ("continuedExecutionRunId" in started) == name.endswith("later_run")


async def test_a_history_of_other_code_is_noticed() -> None:
    events = json.loads(text_of("main_unbatched"))
    for event in events["events"]:
        attributes = event.get("activityTaskScheduledEventAttributes")
        if attributes:
            attributes["activityType"]["name"] = "another_activity"
    with pytest.raises(Exception, match=r"[Nn]ondetermin"):
        await replayer().replay_workflow(WorkflowHistory.from_json("other", events))
