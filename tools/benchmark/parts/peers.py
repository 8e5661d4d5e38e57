"""Part 8, peers: the write paths beside DBOS, with the same flights in the same rounds."""

import random
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import psutil

from batching_demo.comparison.postgres_counts import checkpoint
from batching_demo.comparison.report.numbers import short
from batching_demo.comparison.report.sections import Section, Table
from batching_demo.contracts.names import DIRECT, WritePath
from batching_demo.devstack.workers import coalescing_by
from batching_demo.main_service.messages import Source
from tools.benchmark.harness.bench import Bench
from tools.benchmark.harness.cells import Cell
from tools.benchmark.harness.counters import read_written
from tools.benchmark.harness.cpu import cpu_seconds, cpu_seconds_of_all
from tools.benchmark.harness.rounds import Report
from tools.benchmark.parts.paths import SLICES_LINGER, SLICES_MAX_RECORDS
from tools.benchmark.peers.dbos import Dbos, dbos
from tools.benchmark.peers.job import Job
from tools.benchmark.results.spread import Spread, ratios

DBOS = "DBOS"
FEW_RECORDS = 100


@dataclass(frozen=True)
class Line:
    """Paths that run beside the peer, in the same rounds."""

    paths: Sequence[str | None]
    """None is the floor: the same workflow without a write."""
    records: int
    """Of a workflow or a request."""
    at_once: int
    """Workflows or requests under way, on all sides."""
    budget: float = 0.0
    """Writes a second. So few records under way fill no batch."""

    def cell(self, path: str | None, count: int) -> Cell:
        """Return the cell of a path, with so many workflows or requests."""
        if self.records < FEW_RECORDS:
            budget = self.budget
            return Cell(
                path, count, self.records, max_open=self.at_once, max_writes_per_second=budget
            )
        return Cell(
            path,
            count,
            self.records,
            SLICES_MAX_RECORDS,
            linger_seconds=SLICES_LINGER,
            max_open=self.at_once,
        )


WITH_WORKFLOWS = (WritePath.UNBATCHED, WritePath.COALESCED, WritePath.BATCHED)
LINES = (
    Line((WritePath.UNBATCHED, DIRECT), records=1, at_once=200, budget=2.0),
    Line(WITH_WORKFLOWS, records=1, at_once=50, budget=5.0),
    Line((None, *WITH_WORKFLOWS), records=200, at_once=50),
    Line((None, *WITH_WORKFLOWS), records=500, at_once=50),
)


@dataclass(frozen=True)
class Run:
    """The figures of one run of a path or of a peer."""

    records_per_second: float
    commits_per_record: float
    cpu: Sequence[float]
    """Milliseconds for each workflow or request: of Temporal, of Postgres, and of the rest."""


Runs = dict[str, list[Run]]
"""By the name of the path or of the peer."""


async def measure_peers(
    bench: Bench, source: Source, workflows: Mapping[int, int], rounds: int, report: Report
) -> Section:
    """Run the paths of every line and the peer in each round, equally many under way.

    Raises:
        BenchmarkError: DBOS is not installed.
    """
    rows = []
    async with dbos(bench.system.postgres.url) as peer:
        for line in LINES:
            if line.records in workflows:
                count = workflows[line.records]
                runs = await _interleaved(bench, peer, source, line, count, rounds, report)
                rows += _rows(line, runs)
    budgets = ", ".join(f"{line.budget:g} with {line.at_once} under way" for line in LINES[:2])
    return Section(
        "peers",
        [
            Table(
                "Beside DBOS",
                [
                    "records each",
                    "under way",
                    "path",
                    "records/s",
                    "x unbatched",
                    "x DBOS",
                    "commits a record",
                    "CPU ms each",
                ],
                rows,
                f"medians of {rounds} interleaved rounds, lowest and highest in brackets; direct"
                " has requests in place of workflows; 'nothing' is the floor, the same workflow"
                " without a write; those of one record have a write budget of"
                f" {budgets}; commits are those of all databases in Postgres, where DBOS keeps its"
                " own state too; Temporal's dev server keeps its state in SQLite; CPU ms are for"
                " each workflow or request: of Temporal, of Postgres and of all other processes",
            )
        ],
    )


async def _interleaved(
    bench: Bench,
    peer: Dbos,
    source: Source,
    line: Line,
    count: int,
    rounds: int,
    report: Report,
) -> Runs:
    cells = [line.cell(path, count) for path in line.paths]
    ours = {cell.name: cell for cell in cells}
    await bench.restart_workers(coalescing_by(cells[0].settings), floor=None in line.paths)
    runs: Runs = {name: [] for name in (*ours, DBOS)}
    cpu = partial(_cpu_seconds, bench, peer)
    for number in range(rounds):
        for name in random.sample(list(runs), len(runs)):
            before = cpu()
            if name == DBOS:
                speed, commits = await _run_peer(bench, peer, source, line, count)
            else:
                speed, commits = await _run_path(bench, ours[name], source)
            used = [1000 * (now - then) / count for now, then in zip(cpu(), before, strict=True)]
            run = Run(speed, commits, used)
            runs[name].append(run)
            report(
                f"round {number + 1} of {rounds}: {name} {count} x {line.records}:"
                f" {run.records_per_second:,.0f} records/s"
            )
    return runs


def _cpu_seconds(bench: Bench, peer: Dbos) -> list[float]:
    """Return the CPU time of Temporal, of Postgres, and of workers, starter and peer."""
    system = bench.system
    temporal, postgres = system.temporal.process(), system.postgres.process()
    assert temporal
    assert postgres
    rest = [psutil.Process(), peer.process, *system.workers.values()]
    return [cpu_seconds(temporal), cpu_seconds_of_all(postgres), sum(map(cpu_seconds, rest))]


async def _run_path(bench: Bench, cell: Cell, source: Source) -> tuple[float, float]:
    """Run a path, and return records a second and commits a record."""
    sample = await bench.measure(cell, source, counted=False)
    return sample.records_per_second, sample.commits / cell.records


async def _run_peer(
    bench: Bench, peer: Dbos, source: Source, line: Line, count: int
) -> tuple[float, float]:
    """Run the peer, and return records a second and commits a record."""
    records = line.records * count
    label = f"{DBOS}-{secrets.token_hex(4)}"
    job = Job(source.path, line.records, records, label, line.at_once)
    await checkpoint(bench.engine)
    before = await read_written(bench.engine)
    seconds = await peer.run(job)
    commits = (await read_written(bench.engine)).since(before).transactions
    return records / seconds, commits / records


def _medians(runs: Sequence[Sequence[float]]) -> list[str]:
    return [f"{Spread.of(column).median:.0f}" for column in zip(*runs, strict=True)]


def _rows(line: Line, runs: Runs) -> list[list[str]]:
    speeds = {name: [run.records_per_second for run in found] for name, found in runs.items()}
    return [
        [
            str(line.records),
            str(line.at_once),
            name,
            str(Spread.of(speeds[name])),
            str(ratios(speeds[name], speeds[WritePath.UNBATCHED])),
            str(ratios(speeds[name], speeds[DBOS])),
            short(Spread.of([run.commits_per_record for run in found]).median),
            " + ".join(_medians([run.cpu for run in found])),
        ]
        for name, found in runs.items()
    ]
