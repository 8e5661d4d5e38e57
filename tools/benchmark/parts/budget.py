"""Part 7, budget: writes soon while it is quiet, few while it is busy, and no slower in bulk."""

from dataclasses import replace

from batching_demo.comparison.report.numbers import short
from batching_demo.comparison.report.sections import Section, Table
from batching_demo.comparison.results import percentile
from batching_demo.contracts.names import WritePath
from batching_demo.main_service.messages import Source
from tools.benchmark.harness.bench import Bench
from tools.benchmark.harness.cells import Arrivals, Cell
from tools.benchmark.harness.rounds import Report, interleaved, relative, speed

QUIET, BUSY = (2.0, 5.0), (20.0, 2.0)
"""Workflows a second, and the budget in writes a second."""
WINDOW_SECONDS = 5.0
SLICE = 200
SHORT_LINGER_SECONDS = 0.1


async def measure_budget(
    bench: Bench, source: Source, slices: int, rounds: int, report: Report, seconds: float
) -> Section:
    """Run single records at a constant rate, then slices as fast as they go.

    Args:
        bench: Servers and workers.
        source: Has enough records.
        slices: Workflows of a bulk cell.
        rounds: Runs of every bulk cell.
        report: Takes a line of progress.
        seconds: How long single records come at each rate.
    """
    await bench.restart_workers({})
    steady = []
    for per_second, budget in (QUIET, BUSY):
        cell = Cell(WritePath.BATCHED, int(per_second * seconds), 1, max_writes_per_second=budget)
        arrivals = await bench.measure_arrivals(cell, source, per_second)
        steady.append(_steady_row(per_second, budget, arrivals))
        report(f"budget {budget:g}: {per_second:g} workflows a second")
    lingering = Cell(WritePath.BATCHED, slices, SLICE, linger_seconds=SHORT_LINGER_SECONDS)
    limited = replace(lingering, linger_seconds=20.0, max_writes_per_second=QUIET[1])
    samples = await interleaved(bench, source, [lingering, limited], rounds, report)
    before, after = samples[lingering], samples[limited]
    bulk = [
        [f"linger {SHORT_LINGER_SECONDS:g} s", str(speed(before)), "1.00"],
        [f"budget {QUIET[1]:g}", str(speed(after)), str(relative(after, before))],
    ]
    return Section(
        "budget",
        [
            Table(
                f"Write budget: one-record workflows at a constant rate for {seconds:g} s",
                [
                    "workflows/s",
                    "budget",
                    "p50 s",
                    "p95 s",
                    "records a batch",
                    "batches",
                    f"most in any {WINDOW_SECONDS:g} s",
                ],
                steady,
                "seconds from submission to verdict; the linger is 20 s",
            ),
            Table(
                f"Write budget: {slices} workflows of {SLICE} records at once",
                ["setting", "records/s", "ratio"],
                bulk,
                f"medians of {rounds} rounds",
            ),
        ],
    )


def _steady_row(per_second: float, budget: float, arrivals: Arrivals) -> list[str]:
    batches = arrivals.batches
    return [
        f"{per_second:g}",
        f"{budget:g}",
        short(percentile(arrivals.verdict_seconds, 50)),
        short(percentile(arrivals.verdict_seconds, 95)),
        short(sum(batch.records for batch in batches) / len(batches)),
        str(len(batches)),
        str(arrivals.most_within(WINDOW_SECONDS)),
    ]
