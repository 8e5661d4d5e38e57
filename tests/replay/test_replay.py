"""Histories of earlier code still replay; one that does not fit is noticed."""

import gzip
import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.workflow import SandboxImportNotificationPolicy

from batching_demo.batcher_service.retry.workflow import RetryWorkflow
from batching_demo.batcher_service.workflow import BatcherWorkflow
from batching_demo.main_service.workflow import MainWorkflow

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json.gz"))


def strict_sandbox() -> WorkflowRunner:
    """A sandbox that refuses a workflow file with an import that is not passed through."""
    policy = (
        SandboxImportNotificationPolicy.WARN_ON_DYNAMIC_IMPORT
        | SandboxImportNotificationPolicy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH
    )
    restrictions = SandboxRestrictions.default.with_import_notification_policy(policy)
    return SandboxedWorkflowRunner(restrictions=restrictions)


def replayer() -> Replayer:
    workflows = [MainWorkflow, BatcherWorkflow, RetryWorkflow]
    return Replayer(workflows=workflows, workflow_runner=strict_sandbox())


def name_of(path: Path) -> str:
    return path.name.removesuffix(".json.gz")


def text_of(path: Path) -> str:
    return gzip.decompress(path.read_bytes()).decode()


@pytest.mark.parametrize("path", HISTORIES, ids=name_of)
async def test_a_recorded_history_replays(path: Path) -> None:
    await replayer().replay_workflow(WorkflowHistory.from_json(name_of(path), text_of(path)))


def test_all_histories_are_there() -> None:
    assert {name_of(path) for path in HISTORIES} >= {
        "main_batched",
        "main_unbatched",
        "batcher_first_run",
        "batcher_later_run",
        "main_dead_letters",
        "main_turned_away",
        "batcher_outage_first_run",
        "batcher_outage_later_run",
        "batcher_control_first_run",
        "retry_conflict",
        "retry_stored",
    }


async def test_a_history_of_other_code_is_noticed() -> None:
    path = next(path for path in HISTORIES if name_of(path) == "main_unbatched")
    events = json.loads(text_of(path))
    for event in events["events"]:
        attributes = event.get("activityTaskScheduledEventAttributes")
        if attributes:
            attributes["activityType"]["name"] = "another_activity"
    with pytest.raises(Exception, match=r"[Nn]ondetermin"):
        await replayer().replay_workflow(WorkflowHistory.from_json("other", events))
