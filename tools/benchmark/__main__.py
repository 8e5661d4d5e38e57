"""The command of scripts/benchmark."""

import asyncio
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import click
import psutil
from rich.console import Console

from batching_demo.comparison.report.page import write_page
from batching_demo.comparison.report.sections import Section
from batching_demo.comparison.report.terminal import on_terminal
from batching_demo.stopping import interrupt_on_signals
from tools.benchmark.harness.bench import BenchmarkError, bench
from tools.benchmark.harness.flights import write_flights
from tools.benchmark.parts.budget import measure_budget
from tools.benchmark.parts.distance import measure_distance
from tools.benchmark.parts.encryption import measure_encryption
from tools.benchmark.parts.growth import measure_growth
from tools.benchmark.parts.latency import measure_latency
from tools.benchmark.parts.paths import ONE_BY_ONE, SLICES, measure_paths
from tools.benchmark.parts.peers import measure_peers
from tools.benchmark.parts.pooler import measure_pooler
from tools.benchmark.parts.queues import measure_queues
from tools.benchmark.parts.shards import SHARDED_SIZE, measure_shards
from tools.benchmark.parts.trials import measure_trials
from tools.benchmark.parts.write import measure_write
from tools.benchmark.request import Request
from tools.benchmark.results.files import write_json, write_plots

NAMED = ("encryption", "peers", "pooler", "queues", "trials")
ENCRYPTION, PEERS, POOLER, QUEUES, TRIALS = NAMED
"""Need what may be missing, or are of use to few, so only whoever names them gets them."""
PARTS = ("write", "paths", "growth", "distance", "shards", "latency", "budget", *NAMED)
SIZES = ("1", "10", "100", "200", "500")
QUICK_SIZES = ("1", "200")
QUICK_SLICES = 30
FAR_SIZES = (1, 200, 500)
QUEUED_SIZES = (1, 200, 500)
GIB = 1024**3


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(PARTS))
@click.option("--quick", is_flag=True, help="Fewer and smaller runs: all parts in 3 minutes.")
@click.option("--rounds", type=click.IntRange(min=1), help="Runs of every cell. [default: 5]")
@click.option(
    "--workflows",
    type=click.IntRange(min=1),
    help="Main workflows in a cell. [default: 300; with --quick 100, or 30 of many records each]",
)
@click.option(
    "--records-per-workflow",
    "each",
    multiple=True,
    type=click.Choice(SIZES),
    help="Only these, in `paths` and `distance`.",
)
@click.option(
    "--records", "sizes", multiple=True, type=click.IntRange(min=1), help="Lengths for `growth`."
)
@click.option(
    "--input",
    "input_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV file that `growth` takes its records from. [default: the bundled flights, repeated]",
)
@click.option("--key", "key_columns", multiple=True, help="Key columns of --input.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("benchmark-results"),
    show_default=True,
    help="Directory for results.json, report.html and the plots.",
)
def main(
    parts: tuple[str, ...],
    quick: bool,
    rounds: int | None,
    workflows: int | None,
    each: tuple[str, ...],
    sizes: tuple[int, ...],
    input_path: Path | None,
    key_columns: tuple[str, ...],
    output: Path,
) -> None:
    """Measure PARTS, or all but those that run only by name, with servers of its own.

    `encryption`, `peers`, `pooler`, `queues` and `trials` run only by name. `peers` installs DBOS,
    and runs it in turns with our write paths. `queues` does the same with FastStream and our
    intake.

    The cells of a part take turns in rounds, so that other load on the machine affects all of
    them alike.

    \b
    Examples:
      scripts/benchmark --quick
      scripts/benchmark write paths --rounds 7
      scripts/benchmark growth --records 30000 --records 300000
    """
    request = Request(
        parts=parts or [part for part in PARTS if part not in NAMED],
        rounds=rounds or (1 if quick else 5),
        # Fewer single records would fill no batch, and each would wait for its linger.
        singles=workflows or (100 if quick else 300),
        slices=workflows or (QUICK_SLICES if quick else 300),
        records_per_workflow=[int(one) for one in each or (QUICK_SIZES if quick else SIZES)],
        sizes=sizes or ((1_000, 10_000) if quick else (1_000, 10_000, 100_000)),
        milliseconds=(0, 10) if quick else (0, 2, 10),
        messages=2_000 if quick else 20_000,
        arrival_seconds=10.0 if quick else 60.0,
        lingers=(1.0, 0.0) if quick else (20.0, 1.0, 0.0),
        input_path=input_path,
        key_columns=key_columns,
    )
    interrupt_on_signals()
    console = Console(width=None if sys.stdout.isatty() else 120)
    try:
        sections = asyncio.run(_measure(request, console))
    except BenchmarkError as error:
        raise click.ClickException(str(error)) from None
    output.mkdir(parents=True, exist_ok=True)
    write_json(output / "results.json", sections, machine())
    write_page(output / "report.html", "batching-demo benchmark", machine(), sections)
    write_plots(output, sections)
    click.echo(f"{output}/report.html, {output}/results.json and the plots beside them")


async def _measure(request: Request, console: Console) -> list[Section]:
    sections = []
    with tempfile.TemporaryDirectory(prefix="batching-demo-") as name:
        for part in request.parts:
            section = await _measure_part(part, request, Path(name), _progress)
            for table in section.tables:
                console.print(on_terminal(table))
            sections.append(section)
    return sections


def _progress(line: str) -> None:
    click.echo(line, err=True)


async def _measure_part(
    part: str, request: Request, directory: Path, report: Callable[[str], None]
) -> Section:
    """Measure one part on new servers."""
    rounds = request.rounds
    most = max(request.slices, request.singles) * max(SHARDED_SIZE, *request.records_per_workflow)
    source = write_flights(directory / "flights.csv", most)
    async with bench(queue=part in ("paths", QUEUES)) as on:
        if part == "write":
            return await measure_write(on.system.postgres.url, 3 * rounds)
        if part == POOLER:
            return await measure_pooler(on.system.postgres, 3 * rounds)
        if part == "paths":
            counts = request.workflows((*ONE_BY_ONE, *SLICES))
            return await measure_paths(on, source, counts, rounds, report)
        if part == "growth":
            return await measure_growth(on, request.loads(directory), rounds, report)
        if part == "distance":
            counts = request.workflows(FAR_SIZES)
            return await measure_distance(on, source, counts, rounds, report, request.milliseconds)
        if part == "shards":
            return await measure_shards(on, source, request.slices, rounds, report)
        if part == "budget":
            return await measure_budget(
                on, source, request.slices, rounds, report, request.arrival_seconds
            )
        if part == ENCRYPTION:
            return await measure_encryption(on, source, request.slices, rounds, report)
        if part == TRIALS:
            return await measure_trials(on, source, request.slices, rounds, report)
        if part == QUEUES:
            counts = request.workflows(QUEUED_SIZES)
            messages, seconds = request.messages, request.arrival_seconds
            return await measure_queues(on, source, messages, counts, seconds, rounds, report)
        if part == PEERS:
            counts = request.workflows(FAR_SIZES)
            return await measure_peers(on, source, counts, rounds, report)
        return await measure_latency(on, source, request.singles, rounds, report, request.lingers)


def machine() -> str:
    """Return a description of this machine."""
    memory = psutil.virtual_memory().total / GIB
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.machine()}, Python"
        f" {platform.python_version()}; servers, workers and starter on this one machine"
    )


if __name__ == "__main__":
    main(prog_name="scripts/benchmark")
