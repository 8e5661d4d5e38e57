"""Which servers a command uses, said once before it uses them."""

from collections.abc import Mapping

import click

from batching_demo.cli.process.quiet import report
from batching_demo.settings import DATABASE_URL, EMBEDDED, QUEUE_URL, Settings
from batching_demo.temporal.target import ADDRESS, CONFIG_FILE, PROFILE, choose_temporal

OF_DATABASES = (DATABASE_URL, "PG")
OF_TEMPORAL = "TEMPORAL_"
"""Beginnings of the names of variables that say which servers to use, and how."""
NAMING = (DATABASE_URL, ADDRESS, PROFILE, CONFIG_FILE, QUEUE_URL)
"""Beginnings of those that name a server."""


def name_temporal(settings: Settings) -> None:
    """Name the Temporal server and what decided it, on standard error."""
    report(temporal_line(settings))


def name_database(settings: Settings) -> None:
    """Name the database and what decided it, on standard error."""
    report(database_line(settings))


def name_servers(settings: Settings) -> None:
    """Name both servers."""
    name_database(settings)
    name_temporal(settings)


def temporal_line(settings: Settings) -> str:
    """Return the line that names the Temporal server."""
    return f"Temporal: {choose_temporal(settings)}"


def database_line(settings: Settings) -> str:
    """Return the line that names the database."""
    from batching_demo.database.connection.reading import describe_database

    return f"Postgres: {describe_database(settings)}"


def variables_of_servers(environ: Mapping[str, str]) -> list[str]:
    """List the variables that say which servers to use, and how."""
    beginnings = (*OF_DATABASES, OF_TEMPORAL, QUEUE_URL)
    return [name for name in environ if name.startswith(beginnings)]


def naming_variables(environ: Mapping[str, str]) -> list[str]:
    """List the variables that name a server."""
    return [name for name in environ if name.startswith(NAMING) and environ[name]]


def require_both(settings: Settings) -> None:
    """Check that the environment names a database and a Temporal server.

    Raises:
        UsageError: One is missing; half of each would mix two deployments.
    """
    names_database = settings.database_origins not in ((), (EMBEDDED,))
    if not names_database or not choose_temporal(settings).is_named:
        raise click.UsageError(
            f"--use-environment needs both servers named, by {DATABASE_URL}, and by {ADDRESS} or a"
            f" profile of Temporal's configuration file ({PROFILE}, {CONFIG_FILE})"
        )
