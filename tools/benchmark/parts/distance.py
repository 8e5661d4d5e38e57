"""Part 4, distance: the database behind a proxy that adds some milliseconds."""

import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from sqlalchemy import make_url

from batching_demo.comparison.report.numbers import short
from batching_demo.comparison.report.sections import Chart, Section, Table
from batching_demo.contracts.names import WritePath
from batching_demo.devstack.ports import find_free_port
from batching_demo.devstack.workers import coalescing_by
from batching_demo.main_service.messages import Source
from tools.benchmark.harness.bench import Bench
from tools.benchmark.harness.cells import Cell
from tools.benchmark.harness.rounds import Report, Samples, relative, speed
from tools.benchmark.parts.paths import cells

MILLISECONDS = (0, 2, 10)
PATHS = (WritePath.UNBATCHED, WritePath.COALESCED, WritePath.BATCHED)
Far = dict[int, Samples]


@asynccontextmanager
async def database_away(bench: Bench, milliseconds: int) -> AsyncIterator[str]:
    """Yield a URL of the database whose round trip takes this much longer."""
    url = make_url(bench.system.postgres.url)
    port = find_free_port()
    proxy = subprocess.Popen(  # noqa: ASYNC220  # it is only started
        [
            sys.executable,
            "-m",
            "tools.benchmark.harness.delay",
            str(port),
            str(url.port),
            str(milliseconds),
        ]
    )
    try:
        yield url.set(port=port).render_as_string(hide_password=False)
    finally:
        proxy.kill()
        proxy.wait()


async def measure_distance(
    bench: Bench,
    source: Source,
    workflows: dict[int, int],
    rounds: int,
    report: Report,
    milliseconds: Sequence[int] = MILLISECONDS,
) -> Section:
    """Run the paths at every distance in each round.

    Args:
        bench: Its workers are restarted for every distance.
        source: Input with enough records.
        workflows: Number of workflows, by records per workflow.
        rounds: Number of rounds.
        report: Called with a line of progress.
        milliseconds: Round trips to compare.
    """
    far: Far = {distance: {} for distance in milliseconds}
    for number in range(rounds):
        for each, count in workflows.items():
            chosen = cells({each: count}, PATHS)
            for distance in milliseconds:
                async with database_away(bench, distance) as url:
                    rules = coalescing_by(chosen[0].settings)
                    await bench.restart_workers({**rules, "DATABASE_URL": url})
                    for cell in chosen:
                        sample = await bench.measure(cell, source, counted=False)
                        far[distance].setdefault(cell, []).append(sample)
                report(f"round {number + 1} of {rounds}: {distance} ms, {each} a workflow")
    return _section(far)


def _section(far: Far) -> Section:
    rounds = len(next(iter(next(iter(far.values())).values())))
    table = Table(
        "Distance: the database away by a round trip, 10 connections",
        ["away", "records", "path", "records/s", "x unbatched", "commits", "times fewer commits"],
        [_row(distance, cell, samples) for distance, samples in far.items() for cell in samples],
        f"medians of {rounds} interleaved rounds",
    )
    return Section("distance", [table], _charts(far))


def _row(distance: int, cell: Cell, samples: Samples) -> list[str]:
    each, found = cell.records_per_workflow, samples[cell]
    unbatched = next(
        others
        for other, others in samples.items()
        if (other.path, other.records_per_workflow) == (WritePath.UNBATCHED, each)
    )
    return [
        f"{distance} ms",
        str(each),
        cell.name,
        str(speed(found)),
        str(relative(found, unbatched)),
        f"{found[0].commits:,}",
        short(unbatched[0].commits / found[0].commits),
    ]


def _charts(far: Far) -> list[Chart]:
    charts: dict[int, dict[str, list[float]]] = {}
    for samples in far.values():
        for cell, found in samples.items():
            series = charts.setdefault(cell.records_per_workflow, {})
            series.setdefault(cell.name, []).append(speed(found).median)
    return [
        Chart(
            f"distance-{each}",
            f"Distance: records/s at {each} records per workflow",
            "records/s",
            [f"{distance} ms" for distance in far],
            series,
            is_logarithmic=True,
        )
        for each, series in charts.items()
    ]
