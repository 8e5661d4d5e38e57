"""`batching-demo demo`: everything at once, from nothing to the table."""

import asyncio
import os
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from batching_demo.cli.compare import build_request, comparison_options, run_comparison, show
from batching_demo.cli.dev import one_line_errors, report
from batching_demo.comparison.compare import Request
from batching_demo.comparison.results import PathResult
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.database.migrations import migrate
from batching_demo.devstack.interruption import stop_by_signals
from batching_demo.operator.start import start_batchers
from batching_demo.settings import DATABASE_URL, Settings
from batching_demo.temporal import TEMPORAL_ADDRESS, connect

LONGEST_START_SECONDS = 30.0


@click.command()
@comparison_options
@click.option("--keep", is_flag=True, help="Leave servers and workers running.")
@click.pass_obj
def demo(settings: Settings, /, as_json: bool, keep: bool, **chosen: Any) -> None:
    """Start all that is needed, compare the write paths, print the table, and clean up.

    Starts the embedded servers unless the environment names others, both workers as processes of
    their own, and a batcher. Servers that run already are left running.

    \b
    Examples:
      batching-demo demo
      batching-demo demo --records 1000 --keep
    """
    request = build_request(settings, **chosen)
    stop_by_signals()
    with one_line_errors(), ExitStack() as cleanup:
        settings = _servers(settings, cleanup, keep=keep)
        asyncio.run(migrate(settings.required_database_url, application_name="batching-demo demo"))
        _workers(settings, _batcher_settings(request), cleanup, keep=keep)
        results = asyncio.run(_compare(settings, request, quiet=as_json))
        show(results, as_json=as_json)
        if not as_json:
            _say_what_next(settings, keep=keep)


def _servers(settings: Settings, cleanup: ExitStack, *, keep: bool) -> Settings:
    """Start the embedded servers, unless the environment names both."""
    if os.environ.get(DATABASE_URL) and os.environ.get(TEMPORAL_ADDRESS):
        return settings
    from batching_demo.devstack import stack

    if not keep and not stack.status(settings.state_directory).is_running:
        cleanup.callback(stack.down, settings.state_directory, report)
    stack.up(settings.state_directory, report)
    return Settings.from_environment(os.environ)


def _batcher_settings(request: Request) -> BatcherSettings:
    return BatcherSettings(max_records=request.max_records, linger_seconds=request.linger_seconds)


def _workers(
    settings: Settings, coalescing: BatcherSettings, cleanup: ExitStack, *, keep: bool
) -> None:
    """Start the workers; calls of the coalesced path wait by the same rules as in a batcher."""
    from batching_demo.devstack.workers import coalescing_by, start_workers, stop_workers

    report(f"starting a worker of each service, logs in {settings.state_directory}")
    workers = start_workers(settings.state_directory, coalescing_by(coalescing))
    if not keep:
        cleanup.callback(stop_workers, workers)


async def _compare(settings: Settings, request: Request, *, quiet: bool) -> list[PathResult]:
    client = await connect(settings)
    for started in await start_batchers(client, request.shards, _batcher_settings(request)):
        for difference in started.differences:
            report(f"{started.workflow_id} runs already: {difference}")
    return await run_comparison(settings, request, quiet=quiet, patience=LONGEST_START_SECONDS)


def _say_what_next(settings: Settings, *, keep: bool) -> None:
    program = _program()
    if not keep:
        click.echo(f"The servers are stopped; `{program} dev up` starts them with this data.")
    elif settings.devstack:
        click.echo(f"Web UI: {settings.devstack.ui_url}")
    click.echo("Look at the rows:")
    click.echo(f"  {program} psql -- -c 'select * from write_counts'")
    click.echo(
        f"  {program} psql -- -c"
        " \"select idempotency_key, batch_id, payload->>'dest' as dest from records limit 3\""
    )
    if keep:
        click.echo(f"Stop everything: {program} dev down")


def _program() -> str:
    """Say how the user can call this program from where they are."""
    if shutil.which("batching-demo"):
        return "batching-demo"
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return "python -m batching_demo"
    return os.path.relpath(called)
