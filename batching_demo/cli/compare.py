"""`batching-demo compare`: run the same records through each write path."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from batching_demo.cli import options
from batching_demo.cli.input_options import InputOptions, input_options, read_input
from batching_demo.cli.running_batchers import (
    BatcherOptions,
    batcher_options,
    choose,
    choose_for_paths,
)
from batching_demo.cli.servers import name_servers
from batching_demo.comparison.compare import Comparison, OnChange, compare
from batching_demo.comparison.preconditions import WORKER_SECONDS, check_preconditions
from batching_demo.comparison.report import comparison_table
from batching_demo.comparison.results import PathResult
from batching_demo.contracts.names import WritePath
from batching_demo.database.engine import create_transactional_engine
from batching_demo.database.errors import database_errors
from batching_demo.main_service.summary import Summary
from batching_demo.settings import Settings
from batching_demo.temporal import connect

DEFAULT_RECORDS = 400


@dataclass(frozen=True)
class ComparisonOptions:
    """What the user says of a comparison."""

    records: int
    write_path: Sequence[str]
    records_per_workflow: int
    file: InputOptions
    batchers: BatcherOptions
    max_open: int | None


comparison_options = options.as_one(
    "chosen",
    ComparisonOptions,
    options.option(
        "--records",
        type=click.IntRange(min=1),
        default=DEFAULT_RECORDS,
        help="Records on each path.",
    ),
    options.write_path(multiple=True, default=options.WRITE_PATHS),
    options.records_per_workflow,
    input_options,
    batcher_options,
    options.max_open,
)


def read_comparison(settings: Settings, chosen: ComparisonOptions) -> Comparison:
    """Check the options and the input of a comparison, before any server is asked."""
    inspected, keys = read_input(chosen.file, settings.state_directory)
    if chosen.records > inspected.records:
        raise click.BadParameter(
            f"{inspected.source.name} has only {inspected.records} records",
            param_hint="--records",
        )
    batchers = choose(chosen.batchers, running=())
    return Comparison(
        source=inspected.source,
        key_columns=keys,
        records=chosen.records,
        paths=[WritePath(path) for path in dict.fromkeys(chosen.write_path)],
        records_per_workflow=chosen.records_per_workflow,
        max_open=chosen.max_open,
        settings=batchers.settings,
        shards=batchers.shards,
    )


@click.command("compare")
@comparison_options
@options.as_json
@click.pass_obj
def compare_command(settings: Settings, chosen: ComparisonOptions, as_json: bool) -> None:
    """Run the same records through each write path.

    It shows what each path cost. Every path prefixes its keys with a run label of its own. Postgres
    itself counts commits and WAL, so nothing else should use the database meanwhile.

    \b
    Example: batching-demo compare --records 1000
    """
    comparison = read_comparison(settings, chosen)
    name_servers(settings)
    results = asyncio.run(run_comparison(settings, comparison, chosen.batchers, quiet=as_json))
    print_comparison(results, as_json=as_json)


async def run_comparison(
    settings: Settings,
    comparison: Comparison,
    batchers: BatcherOptions,
    *,
    quiet: bool,
    worker_seconds: float = WORKER_SECONDS,
) -> list[PathResult]:
    """Compare on the servers of the settings, with a progress bar on standard error."""
    client = await connect(settings)
    known = await choose_for_paths(client, batchers, comparison.paths)
    comparison = replace(comparison, settings=known.settings, shards=known.shards)
    engine = create_transactional_engine(
        settings.required_database_url, application_name="batching-demo compare"
    )
    try:
        with database_errors(), _progress(comparison, quiet=quiet) as on_change:
            await check_preconditions(client, engine, comparison, worker_seconds)
            return await compare(client, engine, comparison, on_change)
    finally:
        await engine.dispose()


def print_comparison(results: Sequence[PathResult], *, as_json: bool) -> None:
    """Print a comparison on standard output."""
    if as_json:
        click.echo(json.dumps([asdict(result) for result in results], indent=2))
    else:
        Console().print(comparison_table(results))


@contextmanager
def _progress(comparison: Comparison, *, quiet: bool) -> Iterator[OnChange]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(*columns, TimeElapsedColumn(), console=console, disable=quiet) as progress:
        tasks = {
            path: progress.add_task(path.value, total=comparison.records, start=False)
            for path in comparison.paths
        }

        def on_change(path: WritePath, summary: Summary) -> None:
            progress.start_task(tasks[path])
            progress.update(tasks[path], completed=summary.read - summary.pending)

        yield on_change
