"""`batching-demo compare`: run the same records through each write path."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from batching_demo.cli.comparison.comparison_options import (
    ComparisonOptions,
    comparison_options,
    read_comparison,
)
from batching_demo.cli.exit_codes import NOT_ALL_STORED
from batching_demo.cli.servers import name_servers
from batching_demo.cli.submitting.running_batchers import choose_for_paths
from batching_demo.cli.submitting.target_options import TargetOptions, target_options
from batching_demo.comparison.compare import Comparison, OnChange, compare
from batching_demo.comparison.preconditions import WORKER_SECONDS, check_preconditions
from batching_demo.comparison.report.page import write_page
from batching_demo.comparison.report.paths import comparison_section, describe
from batching_demo.comparison.report.sections import Section
from batching_demo.comparison.report.terminal import on_terminal
from batching_demo.comparison.results import PathResult
from batching_demo.database.engine import create_transactional_engine
from batching_demo.database.errors import database_errors
from batching_demo.main_service.summary import Summary
from batching_demo.settings import Settings
from batching_demo.temporal.connecting import connect

LONGEST_READING_SECONDS = 120.0
"""A checkpoint, or the rows of a long table."""


@click.command("compare")
@comparison_options
@target_options
@click.pass_obj
def compare_command(settings: Settings, chosen: ComparisonOptions, into: TargetOptions) -> None:
    """Run the same records through each write path.

    It shows what each path cost. Every path prefixes its keys with a run label of its own. Postgres
    itself counts commits and WAL, so nothing else should use the database meanwhile.

    \b
    Examples:
      batching-demo compare --records 1000
      batching-demo compare --report comparison.html
    """
    comparison = read_comparison(settings, chosen, into)
    name_servers(settings)
    compared = asyncio.run(run_comparison(settings, comparison, chosen))
    show_comparison(compared, chosen)
    raise SystemExit(compared.exit_code)


@dataclass(frozen=True)
class Compared:
    """A comparison, with the settings of the batchers that ran, and its result."""

    comparison: Comparison
    results: Sequence[PathResult]

    @property
    def exit_code(self) -> int:
        """The exit code of the command."""
        is_stored = all(path.conflict + path.rejected == 0 for path in self.results)
        return 0 if is_stored else NOT_ALL_STORED


async def run_comparison(
    settings: Settings,
    comparison: Comparison,
    chosen: ComparisonOptions,
    *,
    worker_seconds: float = WORKER_SECONDS,
) -> Compared:
    """Compare on the servers of the settings, with a progress bar on standard error."""
    client = await connect(settings)
    known = await choose_for_paths(client, chosen.batchers, comparison.paths)
    comparison = replace(comparison, settings=known.settings, shards=known.shards)
    engine = create_transactional_engine(
        settings.required_database_url,
        application_name="batching-demo compare",
        pooler=settings.pooler,
        command_timeout=LONGEST_READING_SECONDS,
    )
    try:
        with database_errors(), _progress(comparison, shown=chosen.shows_progress) as on_change:
            await check_preconditions(client, engine, comparison, worker_seconds)
            return Compared(comparison, await compare(client, engine, comparison, on_change))
    finally:
        await engine.dispose()


def show_comparison(compared: Compared, chosen: ComparisonOptions) -> None:
    """Print a comparison on standard output, and write the report if one is asked for."""
    section = comparison_section(compared.results)
    if chosen.as_json:
        click.echo(json.dumps([asdict(path) for path in compared.results], indent=2))
    else:
        for table in section.tables:
            Console().print(on_terminal(table))
    if chosen.report:
        _write_report(chosen.report, compared.comparison, section)
        if chosen.shows_progress:
            click.echo(f"Report: {chosen.report}")


def _write_report(path: Path, comparison: Comparison, section: Section) -> None:
    title = f"batching-demo {version('batching-demo')}: write paths compared"
    about = f"{describe(comparison)} {datetime.now(UTC):%Y-%m-%d %H:%M} UTC."
    try:
        write_page(path, title, about, [section])
    except OSError as error:
        raise click.FileError(str(path), error.strerror) from None


@contextmanager
def _progress(comparison: Comparison, *, shown: bool) -> Iterator[OnChange]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(*columns, TimeElapsedColumn(), console=console, disable=not shown) as progress:
        tasks = {
            path: progress.add_task(str(path), total=comparison.records, start=False)
            for path in comparison.paths
        }

        def on_change(path: str, summary: Summary) -> None:
            progress.start_task(tasks[path])
            progress.update(tasks[path], completed=summary.read - summary.pending)

        yield on_change
