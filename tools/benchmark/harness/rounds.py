"""Run cells side by side, round after round."""

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
    """Run every cell once a round, in random order; histories are read in the first one."""
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
    """Summarise records per second."""
    return Spread.of([sample.records_per_second for sample in samples])


def relative(samples: Sequence[Sample], others: Sequence[Sample]) -> Spread:
    """Compare records per second with those of another cell, round by round."""
    return ratios(
        [sample.records_per_second for sample in samples],
        [sample.records_per_second for sample in others],
    )
