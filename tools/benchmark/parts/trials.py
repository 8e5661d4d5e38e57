"""Part 9, trials: what a workflow costs server and worker with one change in the worker."""

import random
from dataclasses import dataclass, replace

from batching_demo.comparison.report.numbers import short
from batching_demo.comparison.report.sections import Section, Table
from batching_demo.contracts.names import WritePath
from batching_demo.devstack.workers import coalescing_by
from batching_demo.main_service.messages import Source
from batching_demo.temporal.pollers import wait_for_pollers
from tools.benchmark.harness.bench import Bench
from tools.benchmark.harness.cells import Cell
from tools.benchmark.harness.cpu import cpu_seconds
from tools.benchmark.harness.rounds import Report
from tools.benchmark.harness.trial_worker import (
    PLAIN,
    TRIALS,
    start_trial_worker,
    task_queue_of,
)
from tools.benchmark.parts.paths import SLICES_LINGER, SLICES_MAX_RECORDS
from tools.benchmark.results.spread import Spread, ratios

SIZES = (1, 200, 500)
AT_ONCE = 50


@dataclass(frozen=True)
class Run:
    """The figures of one run: speed, and CPU time for each workflow in milliseconds."""

    records_per_second: float
    server: float
    worker: float


async def measure_trials(
    bench: Bench, source: Source, workflows: int, rounds: int, report: Report
) -> Section:
    """Run coalesced workflows on every worker in turns, and count the CPU time of the processes."""
    rows = []
    for each in SIZES:
        cell = Cell(WritePath.COALESCED, workflows, each, max_open=AT_ONCE)
        if each > 1:
            cell = replace(cell, max_records=SLICES_MAX_RECORDS, linger_seconds=SLICES_LINGER)
        else:
            cell = replace(cell, max_writes_per_second=5.0)
        await bench.restart_workers(coalescing_by(cell.settings))
        for name in TRIALS:
            start_trial_worker(bench.system, name)
        await wait_for_pollers(bench.client, *map(task_queue_of, TRIALS))
        runs: dict[str, list[Run]] = {name: [] for name in TRIALS}
        for number in range(rounds):
            for name in random.sample(list(TRIALS), len(TRIALS)):
                run = await _run(bench, cell, source, name)
                runs[name].append(run)
                report(
                    f"round {number + 1} of {rounds}: {name} {workflows} x {each}:"
                    f" {run.records_per_second:,.0f} records/s, {run.server:.1f} ms of the server,"
                    f" {run.worker:.1f} ms of the worker"
                )
        rows += [_row(each, name, found, runs[PLAIN]) for name, found in runs.items()]
    return Section(
        "trials",
        [
            Table(
                f"One change each: {workflows} coalesced workflows, {AT_ONCE} under way",
                ["records", "worker", "records/s", "x as it is", "server ms", "worker ms"],
                rows,
                f"medians of {rounds} interleaved rounds, lowest and highest in brackets; ms are"
                " CPU time for each workflow, of Temporal's server and of the main worker",
            )
        ],
    )


async def _run(bench: Bench, cell: Cell, source: Source, name: str) -> Run:
    server_process = bench.system.temporal.process()
    assert server_process
    processes = [server_process, bench.system.workers[name]]
    before = [cpu_seconds(process) for process in processes]
    cell = replace(cell, task_queue=task_queue_of(name))
    sample = await bench.measure(cell, source, counted=False)
    server, worker = (
        1000 * (cpu_seconds(process) - earlier) / cell.workflows
        for process, earlier in zip(processes, before, strict=True)
    )
    return Run(sample.records_per_second, server, worker)


def _row(each: int, name: str, runs: list[Run], plain: list[Run]) -> list[str]:
    speeds = [run.records_per_second for run in runs]
    return [
        str(each),
        name,
        str(Spread.of(speeds)),
        str(ratios(speeds, [run.records_per_second for run in plain])),
        short(Spread.of([run.server for run in runs]).median),
        short(Spread.of([run.worker for run in runs]).median),
    ]
