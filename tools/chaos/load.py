"""Start main workflows while faults happen, and gather their results afterwards."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.service import RPCError

from batching_demo.contracts.names import WritePath
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.main_service.files.inspect import inspect
from batching_demo.main_service.files.slice import slices
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


@dataclass
class Results:
    """The results of main workflows and of requests."""

    verdicts: Counter[str] = field(default_factory=Counter)
    completed: int = 0
    failed: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    returned: list[tuple[str, object]] = field(default_factory=list)
    """Key and id of each record that is stored in an own table, as its requester got them."""

    def add(self, result: MainResult) -> None:
        """Count a main workflow that completed."""
        self.completed += 1
        for verdict in ("written", "duplicate", "conflict", "rejected"):
            self.verdicts[verdict] += getattr(result, verdict)


@dataclass(frozen=True)
class Load:
    """The main workflows of one write path."""

    source: Source
    slices: Sequence[Slice]
    options: RunOptions

    @classmethod
    def of(cls, path: Path, write_path: WritePath) -> "Load":
        """Cut a file into the slices of main workflows."""
        source = inspect(path, key_columns=[KEY]).source
        cut = list(slices(source, RECORDS_PER_WORKFLOW))
        return cls(source, cut, replace(OPTIONS, write_path=write_path))

    def __len__(self) -> int:
        return len(self.slices)

    async def send(self, client: Client, seconds: float) -> None:
        """Start the workflows in waves over some seconds, and repeat a wave that fails."""
        waves = max(1, int(seconds / WAVE_SECONDS))
        size = -(-len(self.slices) // waves)
        began = time.monotonic()
        for number, at in enumerate(range(0, len(self.slices), size)):
            # By the clock: to start a wave takes seconds while something is away.
            await asyncio.sleep(began + number * WAVE_SECONDS - time.monotonic())
            await self._start_all(client, self.slices[at : at + size])

    async def gather(self, client: Client, results: Results, within: float) -> None:
        """Wait for every main workflow to end, at most `within` seconds."""
        turn = asyncio.Semaphore(100)
        tasks = {
            workflow_id: asyncio.create_task(_gather_one(client, workflow_id, turn, results))
            for workflow_id in self._workflow_ids()
        }
        await asyncio.wait(tasks.values(), timeout=within)
        for workflow_id, task in tasks.items():
            if not task.done():
                task.cancel()
                results.unfinished.append(workflow_id)

    async def _start_all(self, client: Client, wave: Sequence[Slice]) -> None:
        while True:
            try:
                await Starter(client, self.options, waits=False).run(
                    (self.source, one) for one in wave
                )
            except RPCError:
                await asyncio.sleep(0.5)
            else:
                return

    def _workflow_ids(self) -> list[str]:
        run = run_id(self.source, self.options)
        return [f"main-{run}-{each.position}" for each in self.slices]


async def _gather_one(
    client: Client, workflow_id: str, turn: asyncio.Semaphore, results: Results
) -> None:
    handle: WorkflowHandle[MainWorkflow, MainResult] = client.get_workflow_handle_for(
        MainWorkflow.run, workflow_id
    )
    async with turn:
        try:
            results.add(await handle.result())
        except WorkflowFailureError as error:
            results.failed.append(f"{workflow_id}: {error.cause}")
