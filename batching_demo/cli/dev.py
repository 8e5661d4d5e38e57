"""`batching-demo dev`: embedded servers, for a machine without them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import click

from batching_demo.cli.process.quiet import report
from batching_demo.cli.servers import naming_variables
from batching_demo.devstack.errors import DevStackError
from batching_demo.devstack.installation import not_installed
from batching_demo.settings import Settings


@click.group()
def dev() -> None:
    """Run a Postgres and a Temporal of your own on this machine.

    Both are the real servers; Temporal's is its dev server. All other commands find them by
    themselves. DATABASE_URL, TEMPORAL_ADDRESS and TEMPORAL_PROFILE win over them. With --queue
    there is a Valkey too, for the commands of `batching-demo intake`.

    \b
    Example:
      batching-demo dev up
    """


@dev.command()
@click.option(
    "--queue",
    is_flag=True,
    help="Start a Valkey too: a server of queues that speaks the protocol of Redis.",
)
@click.pass_obj
def up(settings: Settings, queue: bool) -> None:
    """Start the servers that do not run yet.

    \b
    Examples:
      batching-demo dev up
      batching-demo dev up --queue
    """
    with one_line_errors():
        from batching_demo.devstack import stack

        stack.up(settings.state_directory, report, queue=queue)
    print_status(settings)
    _report_others()


@dev.command()
@click.pass_obj
def status(settings: Settings) -> None:
    """Show what runs; the exit code is 0 if Postgres and Temporal do, 1 if not.

    \b
    Example:
      batching-demo dev status
    """
    if not print_status(settings):
        raise click.exceptions.Exit(1)


@dev.command()
@click.pass_obj
def down(settings: Settings) -> None:
    """Stop the servers and the workers beside them.

    The data stays.

    \b
    Example:
      batching-demo dev down
    """
    with one_line_errors():
        from batching_demo.devstack import stack

        stack.down(settings.state_directory, report)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn errors of the embedded servers into one line without a traceback.

    Import `devstack.stack` inside this block: a production install lacks its packages.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise click.ClickException(str(not_installed("Postgres"))) from error
    except DevStackError as error:
        raise click.ClickException(str(error)) from error


def _report_others() -> None:
    """Name the variables that keep other commands from using these servers."""
    if names := naming_variables(os.environ):
        report(
            f"other commands of this shell follow {', '.join(names)}: unset what should not decide"
        )


def print_status(settings: Settings) -> bool:
    """Print where the servers and workers are, and return whether Postgres and Temporal run."""
    with one_line_errors():
        from batching_demo.devstack import stack

        found = stack.status(settings.state_directory)
    if found.postgres:
        _print_line("Postgres", f"{found.postgres.address}, open it with `batching-demo psql`")
    if found.temporal:
        _print_line("Temporal", f"{found.temporal.address}, Web UI {found.temporal.ui_url}")
    if found.valkey:
        _print_line("Valkey", found.valkey.url)
    for worker in found.workers:
        _print_line(worker.name, f"process {worker.pid}")
    if not found.is_running:
        report("not all of it runs: `batching-demo dev up` starts what is missing")
    return found.is_running


def _print_line(name: str, where: str) -> None:
    click.echo(f"{name:<16}{where}")
