"""Part 6, latency: the time to a verdict, with a linger and without."""

from collections.abc import Sequence

from batching_demo.comparison.report.numbers import short
from batching_demo.comparison.report.sections import Section, Table
from batching_demo.contracts.names import WritePath
from batching_demo.devstack.workers import coalescing_by
from batching_demo.main_service.messages import Source
from tools.benchmark.harness.bench import Bench
from tools.benchmark.harness.cells import Cell
from tools.benchmark.harness.rounds import Report, interleaved, speed
from tools.benchmark.results.spread import Spread


async def measure_latency(
    bench: Bench,
    source: Source,
    workflows: int,
    rounds: int,
    report: Report,
    lingers: Sequence[float],
) -> Section:
    """Run single records, few at a time, so that the linger ends a batch before it is full."""
    rows = []
    for linger in lingers:
        cells = [
            Cell(path, workflows, 1, linger_seconds=linger, max_open=50)
            for path in (WritePath.BATCHED, WritePath.COALESCED)
        ]
        await bench.restart_workers(coalescing_by(cells[0].settings))
        samples = await interleaved(bench, source, cells, rounds, report)
        for cell, found in samples.items():
            batches = Spread.of([sample.batches for sample in found]).median
            rows.append(
                [
                    f"{linger:g} s",
                    cell.name,
                    str(speed(found)),
                    short(workflows / batches),
                    short(Spread.of([sample.p50_seconds for sample in found]).median),
                    short(Spread.of([sample.p99_seconds for sample in found]).median),
                ]
            )
    return Section(
        "latency",
        [
            Table(
                "Linger: from submission to verdict, 50 one-record workflows under way",
                ["linger", "path", "records/s", "records a batch", "p50 s", "p99 s"],
                rows,
                f"medians of {rounds} rounds of {workflows} workflows; a batch has room for 100",
            )
        ],
    )
