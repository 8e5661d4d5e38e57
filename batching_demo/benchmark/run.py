"""Run cells on servers and workers of one's own."""

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from statistics import quantiles

import psutil
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.batcher_service.starter import start_batchers
from batching_demo.batcher_service.workflows import BatcherWorkflow
from batching_demo.benchmark.cells import Cell, Sample
from batching_demo.benchmark.counters import count_workflow_tasks, read_written
from batching_demo.benchmark.memory import peaks
from batching_demo.comparison.postgres_counts import batch_rows, checkpoint
from batching_demo.comparison.temporal_counts import (
    batcher_events_since,
    batcher_runs,
    events_per_workflow,
)
from batching_demo.contracts import BatcherSettings, WritePath, batcher_workflow_id
from batching_demo.database.engine import create_transactional_engine
from batching_demo.database.migrations import migrate
from batching_demo.devstack.system import System
from batching_demo.main_service.messages import Source
from batching_demo.main_service.run_options import RunOptions, with_max_open
from batching_demo.main_service.sources import slices
from batching_demo.main_service.starter import Starter
from batching_demo.main_service.summary import Outcome

NAME = "batching-demo benchmark"


class Bench:
    """Cells on one set of servers and workers."""

    def __init__(self, system: System, client: Client, engine: AsyncEngine, source: Source) -> None:
        self._system = system
        self._client = client
        self._engine = engine
        self._source = source
        self._batchers: tuple[int, BatcherSettings] | None = None

    async def measure(self, cell: Cell, *, counted: bool = True) -> Sample:
        """Run a cell once; counts of histories take longer than the rest, and may be left out."""
        await self._start_batchers(cell)
        await checkpoint(self._engine)
        label = f"{cell.path}-{secrets.token_hex(4)}"
        turned_away = await self._turned_away(cell)
        runs = await batcher_runs(self._client, cell.shards)
        before = await read_written(self._engine)
        outcomes: list[Outcome] = []
        options = with_max_open(_options(cell, label), self._source, cell.max_open)
        starter = Starter(self._client, self._source, options, on_outcome=outcomes.append)
        planned = slices(self._source, cell.records_per_workflow, limit=cell.records)
        async with peaks(self._processes()) as memory:
            summary = await starter.run(planned)
        if summary.failures:
            raise RuntimeError(summary.failures[0])
        if cell.path is not WritePath.NOTHING and summary.written != cell.records:
            raise RuntimeError(f"{summary.written} of {cell.records} records written by {cell}")
        written = (await read_written(self._engine)).since(before)
        ids = [outcome.workflow_id for outcome in outcomes] if counted else []
        seconds = sorted(outcome.result.verdict_seconds for outcome in outcomes)
        batcher_events = await batcher_events_since(self._client, runs) if counted else 0
        tasks = await count_workflow_tasks(self._client, ids)
        return Sample(
            seconds=summary.seconds,
            records_per_second=cell.records / summary.seconds,
            batches=len(await batch_rows(self._engine, label)),
            commits=written.transactions,
            wal_bytes=written.wal_bytes,
            events_per_record=(
                await events_per_workflow(self._client, ids) * cell.workflows + batcher_events
            )
            / cell.records,
            batcher_events_per_record=batcher_events / cell.records,
            workflow_tasks_per_record=tasks * cell.workflows / cell.records,
            p50_seconds=_percentile(seconds, 50),
            p99_seconds=_percentile(seconds, 99),
            turned_away=await self._turned_away(cell) - turned_away,
            longest_batcher_history=0,
            peak_mib=memory,
        )

    async def restart_workers(self, settings: Mapping[str, str]) -> None:
        """Start workers afresh, with other settings."""
        self._system.stop_workers()
        self._system.settings = settings
        await asyncio.to_thread(self._system.start_workers)

    def _processes(self) -> dict[str, psutil.Process]:
        return {**self._system.workers, "starter": psutil.Process()}

    async def _start_batchers(self, cell: Cell) -> None:
        """Start batchers for a cell, unless those that run will do."""
        settings = BatcherSettings(cell.max_records, linger_seconds=cell.linger_seconds)
        if self._batchers == (cell.shards, settings):
            return
        if self._batchers:
            for shard in range(self._batchers[0]):
                await self._client.get_workflow_handle(batcher_workflow_id(shard)).terminate()
        await start_batchers(self._client, cell.shards, settings)
        self._batchers = (cell.shards, settings)

    async def _turned_away(self, cell: Cell) -> int:
        total = 0
        for shard in range(cell.shards):
            handle = self._client.get_workflow_handle(batcher_workflow_id(shard))
            total += (await handle.query(BatcherWorkflow.status)).totals.turned_away
        return total


def _options(cell: Cell, label: str) -> RunOptions:
    return RunOptions(
        key_columns=["serial"],
        records_per_workflow=cell.records_per_workflow,
        max_records=cell.max_records,
        shards=cell.shards,
        linger_seconds=cell.linger_seconds,
        write_path=cell.path,
        run_label=label,
        key_prefix=f"{label}:",
    )


def _percentile(values: list[float], percent: int) -> float:
    if len(values) < 2:
        return sum(values)
    return quantiles(values, n=100, method="inclusive")[percent - 1]


@asynccontextmanager
async def bench(source: Source, settings: Mapping[str, str]) -> AsyncIterator[Bench]:
    """Start everything, and end it."""
    with _directory() as directory:
        system = System(directory, settings)
        try:
            await asyncio.to_thread(system.start_servers)
            await migrate(system.postgres.url, application_name=NAME)
            await asyncio.to_thread(system.start_workers)
            client = await Client.connect(system.temporal.address)
            engine = create_transactional_engine(system.postgres.url, application_name=NAME)
            yield Bench(system, client, engine, source)
            await engine.dispose()
        finally:
            await asyncio.to_thread(system.stop)


@contextmanager
def _directory() -> Iterator[Path]:
    """Make a directory that Postgres may enter if it runs as another user."""
    directory = Path(tempfile.mkdtemp(prefix="batching-demo-benchmark-"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
