"""Run cells in rounds, so that they share what else the machine does."""

import random
from collections.abc import Callable, Sequence

from batching_demo.main_service.messages import Source
from tools.benchmark.harness.bench import Bench
from tools.benchmark.harness.cells import Cell, Sample
from tools.benchmark.results.spread import Spread, ratios

Samples = dict[Cell, list[Sample]]
Report = Callable[[str], None]


async def interleaved(
    bench: Bench, source: Source, cells: Sequence[Cell], rounds: int, report: Report
) -> Samples:
    """Run every cell once in each round, in random order. Count events in the first round."""
    samples: Samples = {cell: [] for cell in cells}
    for number in range(rounds):
        order = random.sample(cells, len(cells))
        for cell in order:
            sample = await bench.measure(cell, source, counted=number == 0)
            samples[cell].append(sample)
            report(
                f"round {number + 1} of {rounds}: {cell.name} {cell.workflows} x"
                f" {cell.records_per_workflow}: {sample.records_per_second:,.0f} records/s"
            )
    return samples


def speed(samples: Sequence[Sample]) -> Spread:
    """Return the records per second of some runs."""
    return Spread.of([sample.records_per_second for sample in samples])


def relative(samples: Sequence[Sample], others: Sequence[Sample]) -> Spread:
    """Return the ratios of records per second to another cell's, round by round."""
    return ratios(
        [sample.records_per_second for sample in samples],
        [sample.records_per_second for sample in others],
    )
