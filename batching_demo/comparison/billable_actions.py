"""Count what Temporal Cloud bills as actions.

The rules are those of https://docs.temporal.io/evaluate/cloud/actions (November 2026). A history
does not tell of queries, of heartbeats, and of workflow tasks that only prolong a local activity.
"""

from collections.abc import Iterable

from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent

ONE_ACTION = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,  # Also of a run that continues another one.
    EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
    EventType.EVENT_TYPE_TIMER_STARTED,
    EventType.EVENT_TYPE_NEXUS_OPERATION_SCHEDULED,
    EventType.EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUESTED,
}
MOST_LOCAL_RETRIES = 100
"""That one workflow task is billed for."""
CHANGE_VERSION = "TemporalChangeVersion"
"""The search attribute of patches. To set it is free."""


def billable_actions(events: Iterable[HistoryEvent]) -> int:
    """Return the actions that events of a history stand for."""
    actions = 0
    tasks_with_markers = set()
    for event in events:
        if event.event_type == EventType.EVENT_TYPE_MARKER_RECORDED:
            # All markers of a workflow task are one action; local activities record them.
            marker = event.marker_recorded_event_attributes
            tasks_with_markers.add(marker.workflow_task_completed_event_id)
        else:
            actions += _actions(event)
    return actions + len(tasks_with_markers)


def _actions(event: HistoryEvent) -> int:
    if event.event_type in ONE_ACTION:
        return 1
    if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
        return max(0, event.activity_task_started_event_attributes.attempt - 1)
    if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
        metering = event.workflow_task_completed_event_attributes.metering_metadata
        return min(MOST_LOCAL_RETRIES, metering.nonfirst_local_activity_execution_attempts)
    if event.event_type == EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:
        upsert = event.upsert_workflow_search_attributes_event_attributes
        return int(set(upsert.search_attributes.indexed_fields) != {CHANGE_VERSION})
    if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
        cause = event.workflow_task_failed_event_attributes.cause
        reset = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW
        return int(cause == reset)
    return 0


def activity_actions(attempts: int, heartbeats: int) -> int:
    """Return the actions of an activity that no workflow has started.

    Args:
        attempts: The first one, and all retries.
        heartbeats: Those that have reached the server.
    """
    return attempts + heartbeats
