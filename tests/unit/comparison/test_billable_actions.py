"""What Temporal Cloud bills, counted from events of a history."""

import pytest
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent

from batching_demo.comparison.billable_actions import activity_actions, billable_actions
from batching_demo.comparison.temporal_counts import TemporalCounts


def event(name: str) -> HistoryEvent:
    return HistoryEvent(event_type=EventType.Value(f"EVENT_TYPE_{name}"))


def marker(task: int) -> HistoryEvent:
    found = event("MARKER_RECORDED")
    found.marker_recorded_event_attributes.workflow_task_completed_event_id = task
    return found


def started(attempt: int) -> HistoryEvent:
    found = event("ACTIVITY_TASK_STARTED")
    found.activity_task_started_event_attributes.attempt = attempt
    return found


def completed_task(local_retries: int = 0) -> HistoryEvent:
    found = event("WORKFLOW_TASK_COMPLETED")
    metering = found.workflow_task_completed_event_attributes.metering_metadata
    metering.nonfirst_local_activity_execution_attempts = local_retries
    return found


def upsert(*names: str) -> HistoryEvent:
    found = event("UPSERT_WORKFLOW_SEARCH_ATTRIBUTES")
    attributes = found.upsert_workflow_search_attributes_event_attributes.search_attributes
    for name in names:
        attributes.indexed_fields[name].data = b"1"
    return found


def failed_task(cause: WorkflowTaskFailedCause.ValueType) -> HistoryEvent:
    found = event("WORKFLOW_TASK_FAILED")
    found.workflow_task_failed_event_attributes.cause = cause
    return found


def test_a_workflow_with_local_activities_and_an_activity_costs_three() -> None:
    events = [
        event("WORKFLOW_EXECUTION_STARTED"),
        event("WORKFLOW_TASK_SCHEDULED"),
        event("WORKFLOW_TASK_STARTED"),
        completed_task(),
        marker(4),
        marker(4),
        event("ACTIVITY_TASK_SCHEDULED"),
        started(1),
        event("ACTIVITY_TASK_COMPLETED"),
        event("WORKFLOW_EXECUTION_COMPLETED"),
    ]
    assert billable_actions(events) == 3
    assert TemporalCounts.of(events) == TemporalCounts(events=10, actions=3, workflow_tasks=1)


@pytest.mark.parametrize(
    ("events", "actions"),
    [
        ([], 0),
        ([event("WORKFLOW_EXECUTION_SIGNALED")] * 3, 3),
        ([event("TIMER_STARTED"), event("TIMER_FIRED")], 1),
        ([event("WORKFLOW_EXECUTION_UPDATE_ACCEPTED")], 1),
        ([started(4)], 3),
        ([marker(4), marker(9), marker(9)], 2),
        ([completed_task(local_retries=2)], 2),
        ([completed_task(local_retries=500)], 100),
        ([upsert("BatchingShard")], 1),
        ([upsert("TemporalChangeVersion")], 0),
        ([upsert("TemporalChangeVersion", "BatchingShard")], 1),
        ([failed_task(WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW)], 1),
        ([failed_task(WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND)], 0),
        # The next run counts its own start.
        ([event("WORKFLOW_EXECUTION_CONTINUED_AS_NEW")], 0),
    ],
)
def test_each_rule(events: list[HistoryEvent], actions: int) -> None:
    assert billable_actions(events) == actions


def test_an_activity_without_a_workflow_costs_its_attempts_and_heartbeats() -> None:
    assert activity_actions(attempts=1, heartbeats=0) == 1
    assert activity_actions(attempts=2, heartbeats=3) == 5
