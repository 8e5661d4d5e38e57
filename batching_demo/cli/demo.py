"""`batching-demo demo`: compare the write paths on a machine where nothing runs yet."""

import asyncio
import os
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path

import click

from batching_demo.cli.compare import Compared, run_comparison, show_comparison
from batching_demo.cli.comparison_options import (
    ComparisonOptions,
    comparison_options,
    read_comparison,
)
from batching_demo.cli.dev import one_line_errors, report
from batching_demo.cli.running_batchers import BatcherOptions, Batchers, choose, find_running
from batching_demo.comparison.compare import Comparison
from batching_demo.contracts.names import batcher_workflow_id
from batching_demo.database.migrations import migrate
from batching_demo.devstack.interruption import stop_by_signals
from batching_demo.operator.start import start_batchers
from batching_demo.settings import DATABASE_URL, DATABASE_URL_FILE, Settings
from batching_demo.temporal import TEMPORAL_ADDRESS, connect

LONGEST_START_SECONDS = 30.0


@click.command()
@comparison_options
@click.option("--keep", is_flag=True, help="Leave servers and workers running.")
@click.pass_obj
def demo(settings: Settings, chosen: ComparisonOptions, keep: bool) -> None:
    """Compare the write paths, from a machine where nothing runs.

    This starts the embedded servers, unless the environment names others, then both workers and
    the batchers. It prints the comparison and stops what it started; servers that ran before keep
    running.

    \b
    Examples:
      batching-demo demo
      batching-demo demo --records 1000 --keep
      batching-demo demo --report comparison.html
    """
    comparison = read_comparison(settings, chosen)
    stop_by_signals()
    with one_line_errors(), ExitStack() as cleanup:
        settings = _servers(settings, cleanup, keep=keep)
        asyncio.run(migrate(settings.required_database_url, application_name="batching-demo demo"))
        batchers = asyncio.run(_find_batchers(settings, chosen.batchers))
        _workers(settings, batchers, cleanup, keep=keep)
        compared = asyncio.run(_compare(settings, comparison, chosen, batchers))
        show_comparison(compared, chosen)
        if chosen.shows_progress:
            _print_next_steps(settings, keep=keep)
    raise SystemExit(compared.exit_code)


def _servers(settings: Settings, cleanup: ExitStack, *, keep: bool) -> Settings:
    """Start the embedded servers, unless the environment names both."""
    names_database = os.environ.get(DATABASE_URL) or os.environ.get(DATABASE_URL_FILE)
    if names_database and os.environ.get(TEMPORAL_ADDRESS):
        return settings
    from batching_demo.devstack import stack

    if not keep and not stack.status(settings.state_directory).is_running:
        cleanup.callback(stack.down, settings.state_directory, report)
    stack.up(settings.state_directory, report)
    return Settings.from_environment(os.environ)


async def _find_batchers(settings: Settings, given: BatcherOptions) -> Batchers:
    """Take what the user says, and the rest from batchers that an earlier demo left running."""
    return choose(given, await find_running(await connect(settings)))


def _workers(settings: Settings, batchers: Batchers, cleanup: ExitStack, *, keep: bool) -> None:
    """Start the workers; the coalesced path gathers calls by the settings of the batchers."""
    from batching_demo.devstack.workers import coalescing_by, start_workers, stop_workers

    report(f"starting a worker of each service, logs in {settings.state_directory}")
    workers = start_workers(settings.state_directory, coalescing_by(batchers.settings))
    if not keep:
        cleanup.callback(stop_workers, workers)


async def _compare(
    settings: Settings,
    comparison: Comparison,
    chosen: ComparisonOptions,
    batchers: Batchers,
) -> Compared:
    await start_batchers(await connect(settings), batchers.shards, batchers.settings)
    return await run_comparison(settings, comparison, chosen, worker_seconds=LONGEST_START_SECONDS)


def _print_next_steps(settings: Settings, *, keep: bool) -> None:
    program = _program()
    if not keep:
        click.echo(f"The servers are stopped; `{program} dev up` starts them with this data.")
    click.echo("Look at the rows:")
    click.echo(f"  {program} psql -- -c 'select * from write_counts'")
    click.echo(
        f"  {program} psql -- -c"
        " \"select idempotency_key, batch_id, payload->>'dest' as dest from records limit 3\""
    )
    if keep:
        click.echo(f"Stop everything: {program} dev down")
    if keep and settings.devstack:
        page = settings.devstack.workflow_page(batcher_workflow_id(0))
        click.echo(f"Look at the batcher in the Web UI: {page}")


def _program() -> str:
    """Return how the user can call this program from where they are."""
    if shutil.which("batching-demo"):
        return "batching-demo"
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return "python -m batching_demo"
    return os.path.relpath(called)
