"""Run cells on servers and workers that only the benchmark uses."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import psutil
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.service import GrpcCompression

from batching_demo.comparison.postgres_counts import batch_rows, checkpoint
from batching_demo.comparison.results import percentile
from batching_demo.comparison.starting import mean_counts, options_on, starter_on
from batching_demo.comparison.temporal_counts import (
    TemporalCounts,
    batcher_counts_since,
    batcher_runs,
)
from batching_demo.contracts.names import (
    BATCHER_TASK_QUEUE,
    MAIN_TASK_QUEUE,
    WritePath,
    batcher_workflow_id,
)
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.database.engine import create_transactional_engine
from batching_demo.database.schema.migrations import migrate
from batching_demo.main_service.files.slice import work_of
from batching_demo.main_service.messages import RunOptions, Source
from batching_demo.main_service.starter import Starter
from batching_demo.main_service.summary import SliceResult
from batching_demo.operator.start import start_batchers
from batching_demo.temporal.pollers import wait_for_pollers
from tools.benchmark.harness.cells import Arrivals, Cell, Sample
from tools.benchmark.harness.counters import read_batches, read_written
from tools.benchmark.harness.flights import SERIAL
from tools.benchmark.harness.floor import FLOOR_TASK_QUEUE
from tools.benchmark.harness.floor_worker import FLOOR_WORKER, start_floor_worker
from tools.benchmark.harness.memory import peaks
from tools.system import System, system_directory

NAME = "batching-demo benchmark"


class BenchmarkError(Exception):
    """A cell did not write its records, so its figures have no meaning."""


class Bench:
    """Servers and workers that cells run on."""

    def __init__(self, system: System, client: Client, engine: AsyncEngine) -> None:
        self.system = system
        self.engine = engine
        self.client = client
        self._batchers: tuple[int, BatcherSettings] | None = None

    async def measure(self, cell: Cell, source: Source, *, counted: bool = True) -> Sample:
        """Run a cell once, and return its figures.

        Args:
            cell: What to run.
            source: Has at least the cell's records.
            counted: Also count events in histories, which takes longer than the run itself.

        Raises:
            BenchmarkError: Not every record was written.
        """
        await self._prepare(cell)
        label = f"{cell.name}-{secrets.token_hex(4)}"
        runs = await batcher_runs(self.client, cell.shards)
        before = await read_written(self.engine)
        outcomes: list[SliceResult] = []
        options = _options(cell, label)
        starter = starter_on(
            # The floor ignores its path, which only limits the workflows under way.
            cell.path or WritePath.UNBATCHED,
            self.client,
            source,
            options,
            max_open=cell.max_open,
            on_result=outcomes.append,
            task_queue=cell.task_queue or (MAIN_TASK_QUEUE if cell.path else FLOOR_TASK_QUEUE),
        )
        async with peaks(self._processes(cell)) as memory:
            summary = await starter.run(
                work_of(source, options.records_per_workflow, limit=cell.records)
            )
        if summary.failures or summary.written != (cell.records if cell.path else 0):
            raise BenchmarkError(f"{cell}: {summary.written} written {summary.failures[:1]}")
        cost = (await read_written(self.engine)).since(before)
        verdict_seconds = sorted(outcome.result.verdict_seconds for outcome in outcomes)
        main, batcher = TemporalCounts(), TemporalCounts()
        if counted:
            mean = await mean_counts(self.client, cell.name, outcomes)
            main = mean * (len(outcomes) / cell.records)
            batcher = await batcher_counts_since(self.client, runs) * (1 / cell.records)
        return Sample(
            records_per_second=cell.records / summary.seconds,
            batches=len(await batch_rows(self.engine, label)),
            commits=cost.transactions,
            wal_bytes=cost.wal_bytes,
            main_events=main.events,
            batcher_events=batcher.events,
            workflow_tasks=main.workflow_tasks,
            actions=main.actions + batcher.actions,
            p50_seconds=percentile(verdict_seconds, 50),
            p99_seconds=percentile(verdict_seconds, 99),
            peak_mib=memory,
        )

    async def measure_arrivals(self, cell: Cell, source: Source, per_second: float) -> Arrivals:
        """Start the workflows of a cell at a constant rate, and wait for all of them.

        Raises:
            BenchmarkError: Not every record was written.
        """
        await self._prepare(cell)
        label = f"{cell.name}-{secrets.token_hex(4)}"
        options = _options(cell, label)
        results: list[SliceResult] = []
        async with asyncio.TaskGroup() as running:
            began = time.monotonic()
            planned = work_of(source, cell.records_per_workflow, limit=cell.records)
            for number, one in enumerate(planned):
                await asyncio.sleep(began + number / per_second - time.monotonic())
                starter = Starter(self.client, options, on_result=results.append)
                running.create_task(starter.run([one]))
        batches = await read_batches(self.engine, label)
        if sum(batch.records for batch in batches) != cell.records:
            raise BenchmarkError(f"{cell}: not every record was written")
        return Arrivals(sorted(one.result.verdict_seconds for one in results), batches)

    async def restart_workers(
        self, settings: Mapping[str, str], batcher_workers: int = 1, *, floor: bool = False
    ) -> None:
        """Stop all workers and start new ones.

        Args:
            settings: Environment variables of the new workers.
            batcher_workers: Number of batcher worker processes.
            floor: Also start a worker of the floor, which cells without a path need.
        """
        await asyncio.to_thread(self.system.stop_workers)
        stopped_at = time.time()
        self.system.settings = settings
        self.system.batcher_workers = batcher_workers
        await asyncio.to_thread(self.system.start_workers)
        queues = [MAIN_TASK_QUEUE, BATCHER_TASK_QUEUE]
        if floor:
            start_floor_worker(self.system)
            queues.append(FLOOR_TASK_QUEUE)
        await wait_for_pollers(self.client, *queues, since=stopped_at)

    async def record_commit_times(self) -> None:
        """Have Postgres keep the time of each commit from now on. It restarts for that once."""
        async with self.engine.connect() as connection:
            connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
            if await connection.scalar(text("SHOW track_commit_timestamp")) == "on":
                return
            await connection.execute(text("ALTER SYSTEM SET track_commit_timestamp = on"))
        await self.engine.dispose()
        await asyncio.to_thread(self.system.postgres.stop)
        await asyncio.to_thread(self.system.postgres.start)

    async def empty_tables(self) -> None:
        """Empty the tables, so that stored keys are new again."""
        async with self.engine.begin() as connection:
            await connection.execute(text("TRUNCATE records, batches, dead_letters"))

    def _processes(self, cell: Cell) -> dict[str, psutil.Process]:
        """Return the processes to watch. On the floor, its worker takes the place of main's."""
        processes = {**self.system.workers, "starter": psutil.Process()}
        floor = processes.pop(FLOOR_WORKER, None)
        if floor and not cell.path:
            processes["main"] = floor
        return processes

    async def _prepare(self, cell: Cell) -> None:
        """Start the batchers of a cell unless they run already, and run a checkpoint."""
        settings = cell.settings
        if self._batchers != (cell.shards, settings):
            for shard in range(self._batchers[0] if self._batchers else 0):
                await self.client.get_workflow_handle(batcher_workflow_id(shard)).terminate()
            await start_batchers(self.client, cell.shards, settings)
            self._batchers = (cell.shards, settings)
        await checkpoint(self.engine)


def _options(cell: Cell, label: str) -> RunOptions:
    options = RunOptions(
        key_columns=[SERIAL],
        records_per_workflow=cell.records_per_workflow,
        settings=cell.settings,
        shards=cell.shards,
        run_label=label,
        key_prefix=f"{label}:",
    )
    return options_on(cell.path or WritePath.UNBATCHED, options)


@asynccontextmanager
async def bench(*, queue: bool = False) -> AsyncIterator[Bench]:
    """Start servers, and stop them and all workers in the end.

    Args:
        queue: Also starts Valkey.
    """
    with system_directory("benchmark") as directory:
        system = System(directory, queue=queue)
        try:
            await asyncio.to_thread(system.start_servers)
            await migrate(system.postgres.url, application_name=NAME)
            client = await Client.connect(
                system.temporal.address, grpc_compression=GrpcCompression.NONE
            )
            engine = create_transactional_engine(system.postgres.url, application_name=NAME)
            yield Bench(system, client, engine)
            await engine.dispose()
        finally:
            await asyncio.to_thread(system.stop)
