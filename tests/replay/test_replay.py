"""Histories of earlier code still replay; one that does not fit is noticed."""

import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.workflow import SandboxImportNotificationPolicy

from batching_demo.batcher_service.workflows import BatcherWorkflow
from batching_demo.main_service.workflows import MainWorkflow

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))


def strict_sandbox() -> WorkflowRunner:
    """A sandbox that refuses a workflow file with an import that is not passed through."""
    policy = (
        SandboxImportNotificationPolicy.WARN_ON_DYNAMIC_IMPORT
        | SandboxImportNotificationPolicy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH
    )
    restrictions = SandboxRestrictions.default.with_import_notification_policy(policy)
    return SandboxedWorkflowRunner(restrictions=restrictions)


def replayer() -> Replayer:
    return Replayer(workflows=[MainWorkflow, BatcherWorkflow], workflow_runner=strict_sandbox())


def history(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(path.stem, path.read_text())


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_recorded_history_replays(path: Path) -> None:
    await replayer().replay_workflow(history(path))


def test_all_histories_are_there() -> None:
    assert {path.stem for path in HISTORIES} >= {
        "main_batched",
        "main_unbatched",
        "batcher_first_run",
        "batcher_later_run",
    }


async def test_a_history_of_other_code_is_noticed() -> None:
    path = next(path for path in HISTORIES if path.stem == "main_batched")
    events = json.loads(path.read_text())
    for event in events["events"]:
        attributes = event.get("activityTaskScheduledEventAttributes")
        if attributes:
            attributes["activityType"]["name"] = "another_activity"
    with pytest.raises(Exception, match=r"[Nn]ondetermin"):
        await replayer().replay_workflow(WorkflowHistory.from_json("other", events))
