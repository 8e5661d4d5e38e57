"""`batching-demo compare`: the same records through each write path."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from batching_demo.cli import options
from batching_demo.cli.inputs import InputOptions, read_input
from batching_demo.comparison.compare import OnChange, Request, compare
from batching_demo.comparison.preconditions import PATIENCE_SECONDS, check
from batching_demo.comparison.report import table
from batching_demo.comparison.results import PathResult
from batching_demo.contracts.names import WritePath
from batching_demo.database.engine import create_transactional_engine
from batching_demo.database.errors import database_errors
from batching_demo.main_service.summary import Summary
from batching_demo.settings import Settings
from batching_demo.temporal import connect

DEFAULT_RECORDS = 400

_OPTIONS = (
    options.option(
        "--records",
        variable="RECORDS",
        type=click.IntRange(min=1),
        default=DEFAULT_RECORDS,
        help="Records on each path.",
    ),
    options.write_path(multiple=True, default=options.WRITE_PATHS),
    options.records_per_workflow,
    options.input_file,
    options.input_format,
    options.delimiter,
    options.encoding,
    options.key,
    options.max_records,
    options.shards,
    options.linger,
    options.max_open,
    options.as_json,
)


def comparison_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Declare the options of a comparison."""
    for declare in reversed(_OPTIONS):
        command = declare(command)
    return command


def build_request(
    settings: Settings,
    records: int,
    write_path: tuple[str, ...],
    records_per_workflow: int,
    input_path: str | None,
    input_format: str | None,
    delimiter: str,
    encoding: str,
    key_columns: tuple[str, ...],
    max_records: int,
    shards: int,
    linger: float,
    max_open: int | None,
) -> Request:
    """Turn the options of a comparison into a request; check its input."""
    chosen = InputOptions(input_path, input_format, delimiter, encoding, key_columns)
    inspected, keys = read_input(chosen, settings.state_directory)
    if records > inspected.records:
        raise click.BadParameter(
            f"{inspected.source.name} has only {inspected.records} records",
            param_hint="--records",
        )
    return Request(
        source=inspected.source,
        key_columns=keys,
        records=records,
        paths=[WritePath(path) for path in dict.fromkeys(write_path)],
        records_per_workflow=records_per_workflow,
        max_records=max_records,
        shards=shards,
        linger_seconds=linger,
        max_open=max_open,
    )


@click.command("compare")
@comparison_options
@click.pass_obj
def compare_command(settings: Settings, /, as_json: bool, **chosen: Any) -> None:
    """Run the same records through each write path and show what each cost.

    Every path runs under a fresh run label, which its keys are prefixed with. Commits and WAL are
    Postgres' own counts, so nothing else should use the database meanwhile.

    \b
    Example: batching-demo compare --records 1000
    """
    request = build_request(settings, **chosen)
    show(asyncio.run(run_comparison(settings, request, quiet=as_json)), as_json=as_json)


async def run_comparison(
    settings: Settings, request: Request, *, quiet: bool, patience: float = PATIENCE_SECONDS
) -> list[PathResult]:
    """Compare on the servers of the settings, with a progress bar on standard error."""
    client = await connect(settings)
    engine = create_transactional_engine(
        settings.required_database_url, application_name="batching-demo compare"
    )
    try:
        with database_errors(), _progress(request, quiet=quiet) as on_change:
            await check(client, engine, request, patience)
            return await compare(client, engine, request, on_change)
    finally:
        await engine.dispose()


def show(results: Sequence[PathResult], *, as_json: bool) -> None:
    """Print a comparison on standard output."""
    if as_json:
        click.echo(json.dumps([asdict(result) for result in results], indent=2))
    else:
        Console().print(table(results))


@contextmanager
def _progress(request: Request, *, quiet: bool) -> Iterator[OnChange]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(*columns, TimeElapsedColumn(), console=console, disable=quiet) as progress:
        tasks = {
            path: progress.add_task(path.value, total=request.records, start=False)
            for path in request.paths
        }

        def on_change(path: WritePath, summary: Summary) -> None:
            progress.start_task(tasks[path])
            progress.update(tasks[path], completed=summary.read - summary.pending)

        yield on_change
