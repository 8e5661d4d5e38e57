"""Start main workflows while faults happen, and gather their results afterwards."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.service import RPCError

from batching_demo.contracts.operations import BatcherSettings
from batching_demo.main_service.messages import MainResult, RunOptions, Slice, Source
from batching_demo.main_service.run_options import run_id
from batching_demo.main_service.starter import Starter
from batching_demo.main_service.workflow import MainWorkflow
from tools.chaos.records import KEY

SHARDS = 2
RECORDS_PER_WORKFLOW = 5
WAVE_SECONDS = 2.0
OPTIONS = RunOptions(
    key_columns=[KEY],
    records_per_workflow=RECORDS_PER_WORKFLOW,
    settings=BatcherSettings(max_records=50, linger_seconds=1.0),
    shards=SHARDS,
)


async def send(client: Client, source: Source, slices: Sequence[Slice], seconds: float) -> None:
    """Start the workflows in waves over some seconds, and repeat a wave that fails."""
    waves = max(1, int(seconds / WAVE_SECONDS))
    size = -(-len(slices) // waves)
    for at in range(0, len(slices), size):
        await _start_all(client, source, slices[at : at + size])
        await asyncio.sleep(WAVE_SECONDS)


async def _start_all(client: Client, source: Source, wave: Sequence[Slice]) -> None:
    while True:
        try:
            await Starter(client, source, OPTIONS, waits=False).run(wave)
        except RPCError:
            await asyncio.sleep(0.5)
        else:
            return


@dataclass
class WorkflowResults:
    """The results of all main workflows."""

    verdicts: Counter[str] = field(default_factory=Counter)
    completed: int = 0
    failed: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)


async def gather(
    client: Client, source: Source, slices: Sequence[Slice], within: float
) -> WorkflowResults:
    """Wait for every main workflow to end, at most `within` seconds."""
    results = WorkflowResults()
    turn = asyncio.Semaphore(100)

    async def one(slice_: Slice) -> None:
        workflow_id = f"main-{run_id(source, OPTIONS)}-{slice_.position}"
        handle: WorkflowHandle[MainWorkflow, MainResult] = client.get_workflow_handle_for(
            MainWorkflow.run, workflow_id
        )
        async with turn:
            try:
                result = await handle.result()
            except WorkflowFailureError as error:
                results.failed.append(f"{workflow_id}: {error.cause}")
                return
        results.completed += 1
        for verdict in ("written", "duplicate", "conflict", "rejected"):
            results.verdicts[verdict] += getattr(result, verdict)

    tasks = {slice_.position: asyncio.create_task(one(slice_)) for slice_ in slices}
    await asyncio.wait(tasks.values(), timeout=within)
    for position, task in tasks.items():
        if not task.done():
            task.cancel()
            results.unfinished.append(f"main-...-{position}")
    return results
