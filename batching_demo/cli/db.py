"""`batching-demo db`: migrate the database, or print its URL."""

import asyncio

import click

from batching_demo.cli.libpq import libpq_uri
from batching_demo.cli.servers import name_database
from batching_demo.database.connection.reading import read_parameters
from batching_demo.database.migrations import migrate, newest_revision
from batching_demo.settings import Settings


@click.group()
def db() -> None:
    """Migrate the database, or print its URL.

    \b
    Example: batching-demo db upgrade
    """


@db.command("upgrade")
@click.pass_obj
def upgrade_command(settings: Settings) -> None:
    """Migrate the database to the newest schema.

    Several may do this at once: one migrates, the others wait for it.

    \b
    Example: batching-demo db upgrade
    """
    name_database(settings)
    url = settings.required_database_url
    asyncio.run(migrate(url, application_name="batching-demo db upgrade"))
    click.echo(f"schema is at revision {newest_revision()}")


@db.command("url")
@click.pass_obj
def url_command(settings: Settings) -> None:
    """Print the URL of the database.

    It has the password in it, for psql or an export.

    \b
    Example: psql "$(batching-demo db url)"
    """
    parameters = read_parameters(settings.required_database_url)
    click.echo(libpq_uri(parameters, with_password=True))
