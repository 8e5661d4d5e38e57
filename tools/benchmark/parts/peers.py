"""Part 8, peers: the write paths beside DBOS, with the same flights in the same rounds."""

import random
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from batching_demo.comparison.postgres_counts import checkpoint
from batching_demo.comparison.report.numbers import short
from batching_demo.comparison.report.sections import Section, Table
from batching_demo.contracts.names import WritePath
from batching_demo.devstack.workers import coalescing_by
from batching_demo.main_service.messages import Source
from tools.benchmark.harness.bench import Bench
from tools.benchmark.harness.cells import Cell
from tools.benchmark.harness.counters import read_written
from tools.benchmark.harness.rounds import Report
from tools.benchmark.parts.paths import SLICES_LINGER, SLICES_MAX_RECORDS
from tools.benchmark.peers.dbos import Dbos, dbos
from tools.benchmark.peers.job import Job
from tools.benchmark.results.spread import Spread, ratios

AT_ONCE = 50
PATHS = (WritePath.UNBATCHED, WritePath.COALESCED, WritePath.BATCHED)
DBOS = "DBOS"
FEW_RECORDS = 100
BUDGET = 5.0


@dataclass(frozen=True)
class Run:
    """The figures of one run of a path or of a peer."""

    records_per_second: float
    commits_per_record: float


Runs = dict[str, list[Run]]
"""By the name of the path or of the peer."""


async def measure_peers(
    bench: Bench, source: Source, workflows: Mapping[int, int], rounds: int, report: Report
) -> Section:
    """Run every path and the peer in each round, 50 workflows under way on both sides.

    Raises:
        BenchmarkError: DBOS is not installed.
    """
    rows = []
    async with dbos(bench.system.postgres.url) as peer:
        for each, count in workflows.items():
            runs = await _interleaved(bench, peer, source, each, count, rounds, report)
            rows += _rows(each, runs)
    return Section(
        "peers",
        [
            Table(
                f"Beside DBOS: {AT_ONCE} workflows under way",
                ["records a workflow", "path", "records/s", "x DBOS", "commits a record"],
                rows,
                f"medians of {rounds} interleaved rounds, lowest and highest in brackets; workflows"
                f" of one record have a write budget of {BUDGET:g}; commits are those of all"
                " databases in Postgres, where DBOS keeps its own state too; Temporal's dev server"
                " keeps its state in SQLite",
            )
        ],
    )


async def _interleaved(
    bench: Bench,
    peer: Dbos,
    source: Source,
    each: int,
    count: int,
    rounds: int,
    report: Report,
) -> Runs:
    ours = {path.value: _cell(path, count, each) for path in PATHS}
    await bench.restart_workers(coalescing_by(ours[WritePath.COALESCED].settings))
    runs: Runs = {name: [] for name in (*ours, DBOS)}
    for number in range(rounds):
        for name in random.sample(list(runs), len(runs)):
            if name == DBOS:
                run = await _run_peer(bench, peer, source, each, count)
            else:
                run = await _run_path(bench, ours[name], source)
            runs[name].append(run)
            report(
                f"round {number + 1} of {rounds}: {name} {count} x {each}:"
                f" {run.records_per_second:,.0f} records/s"
            )
    return runs


def _cell(path: WritePath, count: int, each: int) -> Cell:
    """Return a cell; so few records under way fill no batch, and need a write budget."""
    if each < FEW_RECORDS:
        return Cell(path, count, each, max_open=AT_ONCE, max_writes_per_second=BUDGET)
    return Cell(
        path, count, each, SLICES_MAX_RECORDS, linger_seconds=SLICES_LINGER, max_open=AT_ONCE
    )


async def _run_path(bench: Bench, cell: Cell, source: Source) -> Run:
    sample = await bench.measure(cell, source, counted=False)
    return Run(sample.records_per_second, sample.commits / cell.records)


async def _run_peer(bench: Bench, peer: Dbos, source: Source, each: int, count: int) -> Run:
    records = each * count
    job = Job(source.path, each, records, f"{DBOS}-{secrets.token_hex(4)}", AT_ONCE)
    await checkpoint(bench.engine)
    before = await read_written(bench.engine)
    seconds = await peer.run(job)
    commits = (await read_written(bench.engine)).since(before).transactions
    return Run(records / seconds, commits / records)


def _rows(each: int, runs: Runs) -> list[list[str]]:
    speeds = {name: [run.records_per_second for run in found] for name, found in runs.items()}
    return [
        [
            str(each),
            name,
            str(Spread.of(speeds[name])),
            str(ratios(speeds[name], speeds[DBOS])),
            short(Spread.of([run.commits_per_record for run in found]).median),
        ]
        for name, found in runs.items()
    ]
