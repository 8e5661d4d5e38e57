"""The events that Temporal recorded in the histories of main workflows and of batchers."""

import asyncio
from collections.abc import Sequence

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHistoryEventFilterType

from batching_demo.contracts.names import batcher_workflow_id
from batching_demo.executions import CONTINUED_AS_NEW, describe_execution

SAMPLE = 500
AT_ONCE = 20
Runs = dict[str, tuple[str, int]]
"""Run id and history length, by workflow id."""


async def events_per_workflow(client: Client, workflow_ids: Sequence[str]) -> float:
    """Average the history length of workflows; of more than 500, of 500 spread evenly."""
    step = max(1, len(workflow_ids) // SAMPLE)
    chosen = workflow_ids[::step]
    turn = asyncio.Semaphore(AT_ONCE)

    async def length(workflow_id: str) -> int:
        async with turn:
            return (await describe_execution(client, workflow_id)).history_length

    lengths = await asyncio.gather(*(length(workflow_id) for workflow_id in chosen))
    return sum(lengths) / max(1, len(lengths))


async def batcher_runs(client: Client, shards: int) -> Runs:
    """Record the current run of each batcher, and the length of its history."""
    runs: Runs = {}
    for shard in range(shards):
        workflow_id = batcher_workflow_id(shard)
        execution = await describe_execution(client, workflow_id)
        runs[workflow_id] = (execution.run_id, execution.history_length)
    return runs


async def batcher_events_since(client: Client, before: Runs) -> int:
    """Count the events of batchers since an earlier record, over all their runs."""
    events_before = sum(length for _, length in before.values())
    return sum(await batcher_histories(client, before)) - events_before


async def batcher_histories(client: Client, before: Runs) -> list[int]:
    """List the history lengths of the recorded runs of batchers, and of all later runs."""
    lengths = []
    for workflow_id, (run_id, _) in before.items():
        following: str | None = run_id
        while following:
            execution = await describe_execution(client, workflow_id, following)
            lengths.append(execution.history_length)
            following = None
            if execution.status == CONTINUED_AS_NEW:
                following = await _next_run(client, workflow_id, execution.run_id)
    return lengths


async def _next_run(client: Client, workflow_id: str, run_id: str) -> str | None:
    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    async for event in handle.fetch_history_events(
        event_filter_type=WorkflowHistoryEventFilterType.CLOSE_EVENT
    ):
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
            return event.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return None
