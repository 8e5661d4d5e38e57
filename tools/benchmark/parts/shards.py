"""Part 5, shards: more batchers, and more batcher workers."""

from batching_demo.comparison.report.numbers import short
from batching_demo.comparison.report.sections import Chart, Section, Table
from batching_demo.contracts.names import WritePath
from batching_demo.main_service.messages import Source
from tools.benchmark.harness.bench import Bench
from tools.benchmark.harness.cells import Cell, Sample
from tools.benchmark.harness.rounds import Report, relative, speed
from tools.benchmark.results.spread import Spread

SHARDS = (1, 2, 4)
WORKERS = (1, 2)
SHARDED_SIZE = 200
"""Records per workflow."""
Scaled = dict[tuple[int, int], list[Sample]]


async def measure_shards(
    bench: Bench, source: Source, workflows: int, rounds: int, report: Report
) -> Section:
    """Run the batched path with each number of shards and of batcher workers."""
    scaled: Scaled = {(workers, shards): [] for workers in WORKERS for shards in SHARDS}
    for number in range(rounds):
        for workers in WORKERS:
            await bench.restart_workers({}, workers)
            for shards in SHARDS:
                cell = Cell(
                    WritePath.BATCHED,
                    workflows,
                    SHARDED_SIZE,
                    500,
                    shards=shards,
                    linger_seconds=1.0,
                )
                scaled[workers, shards].append(await bench.measure(cell, source, counted=False))
            report(f"round {number + 1} of {rounds}: {workers} batcher workers")
    return _section(scaled)


def _section(scaled: Scaled) -> Section:
    one = scaled[1, 1]
    table = Table(
        f"Shards and batcher workers: batched, {SHARDED_SIZE} records per workflow",
        ["workers", "shards", "records/s", "x one of each", "batches", "p50 s", "p99 s"],
        [
            [
                str(workers),
                str(shards),
                str(speed(found)),
                str(relative(found, one)),
                f"{found[0].batches:,}",
                short(Spread.of([sample.p50_seconds for sample in found]).median),
                short(Spread.of([sample.p99_seconds for sample in found]).median),
            ]
            for (workers, shards), found in scaled.items()
        ],
        f"medians of {len(one)} interleaved rounds, batches of at most 500",
    )
    return Section("shards", [table], [_chart(scaled)])


def _chart(scaled: Scaled) -> Chart:
    return Chart(
        "shards",
        "Shards: records/s by number of shards",
        "records/s",
        [str(shards) for shards in SHARDS],
        {
            f"{workers} batcher worker{'s' if workers > 1 else ''}": [
                speed(scaled[workers, shards]).median for shards in SHARDS
            ]
            for workers in WORKERS
        },
    )
