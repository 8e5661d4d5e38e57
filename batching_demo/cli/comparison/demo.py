"""`batching-demo demo`: compare the write paths on a machine where nothing runs yet."""

import asyncio
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import click

from batching_demo.cli.comparison.compare import Compared, run_comparison, show_comparison
from batching_demo.cli.comparison.comparison_options import (
    ComparisonOptions,
    comparison_options,
    read_comparison,
)
from batching_demo.cli.dev import one_line_errors
from batching_demo.cli.process.quiet import report
from batching_demo.cli.servers import (
    name_servers,
    naming_variables,
    require_both,
    variables_of_servers,
)
from batching_demo.cli.submitting.running_batchers import (
    BatcherOptions,
    Batchers,
    choose,
    find_running,
)
from batching_demo.comparison.compare import Comparison
from batching_demo.contracts.names import WritePath, batcher_workflow_id
from batching_demo.database.schema.migrations import migrate
from batching_demo.operator.start import start_batchers
from batching_demo.settings import DATABASE_URL, POOLER, QUEUE_URL, Settings
from batching_demo.stopping import interrupt_on_signals
from batching_demo.temporal.connecting import connect

LONGEST_START_SECONDS = 120.0
"""Of a worker on a busy machine. One that dies ends the demo at once."""


@click.command()
@comparison_options
@click.option("--keep", is_flag=True, help="Leave servers and workers running.")
@click.option(
    "--use-environment",
    is_flag=True,
    help="Use the Postgres and the Temporal that the environment names, and migrate that database.",
)
@click.pass_obj
def demo(settings: Settings, chosen: ComparisonOptions, keep: bool, use_environment: bool) -> None:
    """Compare the write paths, from a machine where nothing runs.

    This starts the embedded servers, both workers and the batchers. It prints the comparison and
    stops what it started; servers that ran before keep running. Other servers that the environment
    names are left alone, unless --use-environment says to use them.

    \b
    Examples:
      batching-demo demo
      batching-demo demo --records 1000 --keep
      batching-demo demo --report comparison.html
    """
    if use_environment:
        require_both(settings)
    comparison = read_comparison(settings, chosen)
    interrupt_on_signals()
    with one_line_errors(), ExitStack() as cleanup:
        queue = WritePath.QUEUED in comparison.paths
        servers = (
            Servers(settings)
            if use_environment
            else _embedded(settings, cleanup, keep=keep, queue=queue)
        )
        settings = servers.settings
        # An error names these, and not those of the environment.
        click.get_current_context().find_root().obj = settings
        comparison = replace(comparison, queue_url=settings.queue_url)
        name_servers(settings)
        _migrate(settings)
        batchers = asyncio.run(_find_batchers(settings, chosen.batchers))
        compared = asyncio.run(_compare(settings, comparison, chosen, batchers, cleanup, keep=keep))
        show_comparison(compared, chosen)
    if chosen.shows_progress:
        _print_next_steps(servers, keep=keep)
    raise SystemExit(compared.exit_code)


@dataclass(frozen=True)
class Servers:
    """The servers of a demo, and what becomes of them."""

    settings: Settings
    are_stopped: bool = False
    """Whether the demo stops them at its end."""
    passed_over: Sequence[str] = ()
    """Variables that name other servers, which other commands of this shell would use."""


def _embedded(settings: Settings, cleanup: ExitStack, *, keep: bool, queue: bool) -> Servers:
    """Start the embedded servers, and forget those that the environment names."""
    from batching_demo.devstack import stack

    passed_over = naming_variables(os.environ)
    if passed_over:
        report(
            f"leaving alone what {', '.join(passed_over)} name{'s' * (len(passed_over) == 1)}:"
            " the demo uses servers of its own, unless --use-environment is given"
        )
    # The workers, which are started later, must not see them either.
    for name in variables_of_servers(os.environ):
        del os.environ[name]
    directory = settings.state_directory
    stops = not keep and not stack.status(directory).is_running
    if stops:
        cleanup.callback(stack.down, directory, report)
    stack.up(directory, report, queue=queue)
    embedded = replace(Settings.from_environment(os.environ), pooler=settings.pooler)
    return Servers(embedded, stops, passed_over)


def _migrate(settings: Settings) -> None:
    url, name = settings.required_database_url, "batching-demo demo"
    asyncio.run(migrate(url, application_name=name, pooler=settings.pooler))


async def _find_batchers(settings: Settings, given: BatcherOptions) -> Batchers:
    """Take what the user says, and the rest from batchers that an earlier demo left running."""
    return choose(given, await find_running(await connect(settings)))


async def _compare(
    settings: Settings,
    comparison: Comparison,
    chosen: ComparisonOptions,
    batchers: Batchers,
    cleanup: ExitStack,
    *,
    keep: bool,
) -> Compared:
    """Start the workers and the batchers, and compare; a worker that dies ends it."""
    from batching_demo.devstack.workers import coalescing_by, start_workers, stop_workers, watched

    report(f"starting a worker of each service, logs in {settings.state_directory}")
    # The coalesced path gathers calls by the settings of the batchers.
    chosen_servers = {POOLER: settings.pooler, QUEUE_URL: settings.queue_url}
    chosen_servers[f"{QUEUE_URL}_FILE"] = ""  # Both would be refused.
    environment = os.environ | coalescing_by(batchers.settings) | chosen_servers
    workers = start_workers(settings.state_directory, environment)
    if not keep:
        cleanup.callback(stop_workers, workers)
    await start_batchers(await connect(settings), batchers.shards, batchers.settings)
    comparing = run_comparison(settings, comparison, chosen, worker_seconds=LONGEST_START_SECONDS)
    return await watched(workers, comparing)


def _print_next_steps(servers: Servers, *, keep: bool) -> None:
    """Print commands that work in the shell that this was called from."""
    program, devstack = _program(), servers.settings.devstack
    others = [f"-u {name}" for name in servers.passed_over if name.startswith(DATABASE_URL)]
    psql = " ".join(["env", *others, program]) if others else program
    if servers.are_stopped:
        click.echo(f"The servers are stopped; `{program} dev up` starts them with this data.")
    click.echo("Look at the rows:")
    click.echo(f"  {psql} psql -- -c 'select * from write_counts'")
    click.echo(
        f"  {psql} psql -- -c"
        " \"select idempotency_key, batch_id, payload->>'dest' as dest from records limit 3\""
    )
    if keep:
        click.echo(f"Stop everything: {program} dev down")
    if keep and devstack:
        page = devstack.workflow_page(batcher_workflow_id(0))
        click.echo(f"Look at the batcher in the Web UI: {page}")


def _program() -> str:
    """Return how the user can call this program from where they are."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{_command(Path(sys.executable))} -m batching_demo"
    return _command(called)


def _command(program: Path) -> str:
    """Shorten the path of a program to its name where PATH leads to it."""
    found = shutil.which(program.name)
    if found and program.exists() and Path(found).samefile(program):
        return program.name
    return shlex.quote(str(program.absolute()))
