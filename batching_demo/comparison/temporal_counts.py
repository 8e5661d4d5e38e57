"""What Temporal has recorded of main workflows, of batchers and of requests."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHistoryEventFilterType

from batching_demo.comparison.billable_actions import activity_actions, billable_actions
from batching_demo.concurrency import map_some_at_once
from batching_demo.contracts.names import batcher_workflow_id
from batching_demo.requester.client import activity_id_of
from batching_demo.temporal.executions import CONTINUED_AS_NEW, describe_execution
from batching_demo.temporal.namespace_database import find_database

SAMPLE = 200
AT_ONCE = 20
Runs = dict[str, tuple[str, int]]
"""Run id and history length, by workflow id."""


@dataclass(frozen=True)
class TemporalCounts:
    """What histories hold, or the mean of it."""

    events: float = 0
    actions: float = 0
    """That Temporal Cloud bills."""
    workflow_tasks: float = 0

    @classmethod
    def of(cls, events: Sequence[HistoryEvent]) -> "TemporalCounts":
        """Count events of a history."""
        completed = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
        tasks = sum(event.event_type == completed for event in events)
        return cls(len(events), billable_actions(events), tasks)

    def __add__(self, other: "TemporalCounts") -> "TemporalCounts":
        return TemporalCounts(
            self.events + other.events,
            self.actions + other.actions,
            self.workflow_tasks + other.workflow_tasks,
        )

    def __mul__(self, number: float) -> "TemporalCounts":
        return TemporalCounts(
            self.events * number, self.actions * number, self.workflow_tasks * number
        )


async def counts_per_workflow(client: Client, workflow_ids: Sequence[str]) -> TemporalCounts:
    """Return the mean of workflows; of more than 200, of 200 to 400 spread evenly."""

    async def count(workflow_id: str) -> TemporalCounts:
        history = await client.get_workflow_handle(workflow_id).fetch_history()
        return TemporalCounts.of(history.events)

    return await _mean(count, workflow_ids)


async def counts_per_request(client: Client, request_ids: Sequence[str]) -> TemporalCounts:
    """Return the mean of requests without a workflow, whose activities have no history."""
    database = await find_database(client)
    assert database  # A worker has answered the requests.

    async def count(request_id: str) -> TemporalCounts:
        handle = client.get_activity_handle(activity_id_of(request_id, database))
        found = await handle.describe()
        return TemporalCounts(actions=activity_actions(found.attempt, found.total_heartbeat_count))

    return await _mean(count, request_ids)


async def _mean(
    count: Callable[[str], Awaitable[TemporalCounts]], ids: Sequence[str]
) -> TemporalCounts:
    chosen = ids[:: max(1, len(ids) // SAMPLE)]
    counts = await map_some_at_once(count, chosen, at_once=AT_ONCE)
    return sum(counts, TemporalCounts()) * (1 / max(1, len(counts)))


async def batcher_runs(client: Client, shards: int) -> Runs:
    """Record the current run of each batcher, and the length of its history."""
    runs: Runs = {}
    for shard in range(shards):
        workflow_id = batcher_workflow_id(shard)
        execution = await describe_execution(client, workflow_id)
        runs[workflow_id] = (execution.run_id, execution.history_length)
    return runs


async def batcher_counts_since(client: Client, before: Runs) -> TemporalCounts:
    """Count what batchers have recorded since an earlier record, over all their runs."""
    counts = TemporalCounts()
    for workflow_id, (first, length) in before.items():
        for run_id, _ in await _histories(client, workflow_id, first):
            handle = client.get_workflow_handle(workflow_id, run_id=run_id)
            known = length if run_id == first else 0
            events = [event async for event in handle.fetch_history_events()]
            counts += TemporalCounts.of(events[known:])
    return counts


async def batcher_histories(client: Client, before: Runs) -> list[int]:
    """List the history lengths of the recorded runs of batchers, and of all later runs."""
    return [
        length
        for workflow_id, (run_id, _) in before.items()
        for _, length in await _histories(client, workflow_id, run_id)
    ]


async def _histories(client: Client, workflow_id: str, first: str) -> list[tuple[str, int]]:
    """List run id and history length of a run, and of all later ones."""
    found = []
    following: str | None = first
    while following:
        execution = await describe_execution(client, workflow_id, following)
        found.append((execution.run_id, execution.history_length))
        following = None
        if execution.status == CONTINUED_AS_NEW:
            following = await _next_run(client, workflow_id, execution.run_id)
    return found


async def _next_run(client: Client, workflow_id: str, run_id: str) -> str | None:
    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    async for event in handle.fetch_history_events(
        event_filter_type=WorkflowHistoryEventFilterType.CLOSE_EVENT
    ):
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
            return event.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return None
