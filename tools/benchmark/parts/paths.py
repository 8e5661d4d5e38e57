"""Part 2, paths: the write paths end to end, against the floor."""

from collections.abc import Mapping, Sequence

from batching_demo.comparison.report.numbers import short
from batching_demo.comparison.report.sections import Chart, Section, Table
from batching_demo.contracts.names import DIRECT, WritePath
from batching_demo.devstack.workers import coalescing_by
from batching_demo.main_service.messages import Source
from tools.benchmark.harness.bench import Bench
from tools.benchmark.harness.cells import Cell, Sample
from tools.benchmark.harness.rounds import Report, Samples, interleaved, relative, speed
from tools.benchmark.results.spread import Spread

PATHS = (
    None,
    WritePath.UNBATCHED,
    WritePath.COALESCED,
    WritePath.BATCHED,
    WritePath.QUEUED,
    DIRECT,
)
ONE_BY_ONE = (1, 10)
SLICES = (100, 200, 500)
SLICES_MAX_RECORDS = 500
SLICES_LINGER = 0.1
"""Seconds. A batch fills in that time; a longer linger would only delay the last batch."""


def cells(workflows: Mapping[int, int], paths: Sequence[str | None] = PATHS) -> list[Cell]:
    """Return the cells of a part: few records at the defaults, many in larger batches.

    Args:
        workflows: Number of workflows, by records per workflow.
        paths: The write paths that each is run with.
    """
    return [
        Cell(path, count, each)
        if each in ONE_BY_ONE
        else Cell(path, count, each, SLICES_MAX_RECORDS, linger_seconds=SLICES_LINGER)
        for each, count in workflows.items()
        for path in paths
    ]


async def measure_paths(
    bench: Bench,
    source: Source,
    workflows: Mapping[int, int],
    rounds: int,
    report: Report,
) -> Section:
    """Run every path. Workers that coalesce have the settings of the cells."""
    samples: Samples = {}
    for sizes in (ONE_BY_ONE, SLICES):
        chosen = cells({size: count for size, count in workflows.items() if size in sizes})
        if chosen:
            await bench.restart_workers(coalescing_by(chosen[0].settings), floor=True)
            samples |= await interleaved(bench, source, chosen, rounds, report)
    return Section(
        "paths", [_speeds(samples), _costs(samples), _memory(samples)], [_chart(samples)]
    )


def _of(samples: Samples, path: str | None, each: int) -> list[Sample]:
    return next(
        found
        for cell, found in samples.items()
        if (cell.path, cell.records_per_workflow) == (path, each)
    )


def _speeds(samples: Samples) -> Table:
    rows = []
    for cell, found in samples.items():
        each = cell.records_per_workflow
        floor, unbatched = (_of(samples, path, each) for path in (None, WritePath.UNBATCHED))
        rows.append(
            [
                str(each),
                cell.name,
                str(speed(found)),
                str(relative(found, unbatched)),
                str(relative(found, floor)),
            ]
        )
    workflows = dict.fromkeys(str(cell.workflows) for cell in samples)
    rounds = len(next(iter(samples.values())))
    return Table(
        f"End to end: {' or '.join(workflows)} main workflows or requests a cell, by records of"
        " each",
        ["records", "path", "records/s", "x unbatched", "x floor"],
        rows,
        f"medians of {rounds} interleaved rounds, lowest and highest in brackets; 'nothing' is the"
        " floor, the same workflow without a write, and 'direct' has no workflow; 100 a batch"
        f" and 20 s linger up to 10 records, {SLICES_MAX_RECORDS} and {SLICES_LINGER:g} s above",
    )


def _costs(samples: Samples) -> Table:
    rows = []
    for cell, found in samples.items():
        first = found[0]
        rows.append(
            [
                str(cell.records_per_workflow),
                cell.name,
                f"{first.batches:,}",
                f"{first.commits:,}",
                short(first.wal_bytes / cell.records),
                short(first.main_events + first.batcher_events),
                short(first.batcher_events),
                short(first.workflow_tasks),
                short(first.actions),
                short(Spread.of([sample.p50_seconds for sample in found]).median),
                short(Spread.of([sample.p99_seconds for sample in found]).median),
            ]
        )
    return Table(
        "What it costs",
        [
            "records", "path", "batches", "commits", "WAL a record", "events a record",
            "of batchers", "tasks a record", "actions a record", "p50 s", "p99 s",
        ],
        rows,
        "commits are transactions that wrote; actions are those that Temporal Cloud bills; p50 and"
        " p99 are from submission to verdict over main workflows or requests",
    )  # fmt: skip


def _memory(samples: Samples) -> Table:
    processes = list(next(iter(samples.values()))[0].peak_mib)
    rows = [
        [
            str(cell.records_per_workflow),
            cell.name,
            *(
                str(Spread.of([sample.peak_mib[process] for sample in found]))
                for process in processes
            ),
        ]
        for cell, found in samples.items()
    ]
    return Table(
        "Peak resident memory, MiB",
        ["records", "path", *(f"{process} worker" for process in processes[:2]), "starter"],
        rows,
        "the starter is part of the benchmark's process",
    )


def _chart(samples: Samples) -> Chart:
    sizes = list(dict.fromkeys(cell.records_per_workflow for cell in samples))
    return Chart(
        "paths",
        "End to end: records/s by records per workflow",
        "records/s",
        [str(size) for size in sizes],
        {
            cell.name: [speed(_of(samples, cell.path, size)).median for size in sizes]
            for cell in samples
        },
        is_logarithmic=True,
    )
