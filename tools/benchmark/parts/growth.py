"""Part 3, growth: `main start` over files of different length."""

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from batching_demo.comparison.report.numbers import short
from batching_demo.comparison.report.sections import Chart, Section, Table
from batching_demo.comparison.temporal_counts import batcher_histories, batcher_runs
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.operator.start import start_batchers
from tools.benchmark.harness.bench import Bench, BenchmarkError
from tools.benchmark.harness.memory import peaks
from tools.benchmark.harness.rounds import Report
from tools.benchmark.results.spread import Spread, ratios

LINGER_SECONDS = 1.0


@dataclass(frozen=True)
class Load:
    """A file, and how to load it."""

    path: Path
    records: int
    key_columns: tuple[str, ...]
    records_per_workflow: int


@dataclass(frozen=True)
class Grown:
    """The figures of one load."""

    records_per_second: float
    longest_batcher_history: int
    peak_mib: dict[str, float]


async def measure_growth(
    bench: Bench, loads: Sequence[Load], rounds: int, report: Report
) -> Section:
    """Load every file once in each round, with new workers, so that each load has its own peaks."""
    results: dict[Load, list[Grown]] = {load: [] for load in loads}
    await start_batchers(bench.client, 1, BatcherSettings(linger_seconds=LINGER_SECONDS))
    for number in range(rounds):
        for load in loads:
            await bench.restart_workers({})
            grown = await _load(bench, load, f"growth-{number}-{load.records}")
            results[load].append(grown)
            report(
                f"round {number + 1} of {rounds}: {load.records:,} records:"
                f" {grown.records_per_second:,.0f} records/s"
            )
    return _section(results)


async def _load(bench: Bench, load: Load, label: str) -> Grown:
    """Run `main start` as a process, under a new run label and over empty tables."""
    runs = await batcher_runs(bench.client, 1)
    await bench.empty_tables()
    keys = [part for column in load.key_columns for part in ("--key", column)]
    starter = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "batching_demo", "main", "start",
        "--input", str(load.path), *keys,
        "--records-per-workflow", str(load.records_per_workflow),
        "--linger", str(LINGER_SECONDS), f"--again={label}", "--json",
        env=bench.system.environment(),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    processes = {**bench.system.workers, "starter": psutil.Process(starter.pid)}
    async with peaks(processes) as memory:
        output, _ = await starter.communicate()
    if starter.returncode:
        raise BenchmarkError(f"{load.path.name}: exit code {starter.returncode}")
    counts = json.loads(output)
    if counts["written"] != load.records:
        raise BenchmarkError(f"{load.path.name}: {counts}, expected {load.records} written")
    histories = await batcher_histories(bench.client, runs)
    return Grown(load.records / counts["seconds"], max(histories), memory)


def _section(results: dict[Load, list[Grown]]) -> Section:
    first = next(iter(results.values()))
    each = next(iter(results)).records_per_workflow
    processes = [f"MiB {name}" for name in first[0].peak_mib]
    table = Table(
        f"Growth: batched, {each} records per workflow, the options' defaults",
        ["records", "records/s", "us a record", "x first", "longest history", *processes],
        [_row(load, grown, first) for load, grown in results.items()],
        f"medians of {len(first)} interleaved rounds; every load into empty tables with"
        " fresh workers; resident memory is each process' peak",
    )
    chart = Chart(
        "growth",
        "Growth: records/s by length of the file",
        "records/s",
        [f"{load.records:,}" for load in results],
        {"batched": [Spread.of(_speeds(grown)).median for grown in results.values()]},
    )
    return Section("growth", [table], [chart])


def _row(load: Load, grown: Sequence[Grown], first: Sequence[Grown]) -> list[str]:
    speeds = _speeds(grown)
    peak_mib = (
        Spread.of([one.peak_mib[name] for one in grown]).median for name in grown[0].peak_mib
    )
    return [
        f"{load.records:,}",
        str(Spread.of(speeds)),
        short(1e6 / Spread.of(speeds).median),
        str(ratios(speeds, _speeds(first))),
        f"{max(one.longest_batcher_history for one in grown):,}",
        *(f"{mib:.0f}" for mib in peak_mib),
    ]


def _speeds(grown: Sequence[Grown]) -> list[float]:
    return [one.records_per_second for one in grown]
