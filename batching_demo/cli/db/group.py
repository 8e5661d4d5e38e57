"""`batching-demo db`: migrate the database, make its roles, or print its URL."""

import asyncio

import click

from batching_demo.cli import options
from batching_demo.cli.db.roles import roles_command
from batching_demo.cli.libpq import libpq_uri
from batching_demo.cli.servers import name_database, name_servers
from batching_demo.database.connection.reading import describe_database, read_parameters
from batching_demo.database.engine import create_engine
from batching_demo.database.identity import find_identity, read_identity, renew_identity
from batching_demo.database.schema.migrations import migrate, newest_revision
from batching_demo.settings import Settings
from batching_demo.temporal.connecting import connect
from batching_demo.temporal.namespace_database import find_database, move


@click.group()
def db() -> None:
    """Migrate the database, make its roles or its identity, or print its URL.

    \b
    Example: batching-demo db upgrade
    """


db.add_command(roles_command)


@db.command("upgrade")
@options.pooler
@click.pass_obj
def upgrade_command(settings: Settings) -> None:
    """Migrate the database to the newest schema.

    Several may do this at once: one migrates, the others wait for it.

    \b
    Example: batching-demo db upgrade
    """
    name_database(settings)
    url = settings.required_database_url
    name = "batching-demo db upgrade"
    asyncio.run(migrate(url, application_name=name, pooler=settings.pooler))
    click.echo(f"schema is at revision {newest_revision()}")


@db.command("adopt")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--keep-identity",
    is_flag=True,
    help="Keep the identity. This is for a database with several namespaces, once one of them has"
    " adopted it.",
)
@options.pooler
@click.pass_obj
def adopt_command(settings: Settings, yes: bool, keep_identity: bool) -> None:
    """Make a restored or rebuilt database that of the Temporal namespace.

    It gives the database a new identity. So nothing counts as done for it: the commands that load
    an input or retry a dead letter do so again. What is stored is not stored twice. Batchers and
    workflows that run go on, and write to this database.

    \b
    Example: batching-demo db adopt
    """
    name_servers(settings)
    asyncio.run(_adopt(settings, asks=not yes, keeps=keep_identity))


async def _adopt(settings: Settings, *, asks: bool, keeps: bool) -> None:
    url = settings.required_database_url
    engine = create_engine(
        url, application_name="batching-demo db adopt", pool_size=1, pooler=settings.pooler
    )
    try:
        client = await connect(settings)
        old, expected = await find_identity(engine), await find_database(client)
        found = f"database {old}" if old else "no identity yet"
        click.echo(f"{describe_database(settings)}: {found}")
        click.echo(f"namespace {client.namespace} is for {_database(expected)}")
        if asks:
            under = "this identity" if keeps else "a new identity"
            if not click.confirm(f"Is it to be for this database, under {under}?"):
                raise click.ClickException("nothing has changed")
        new = await read_identity(engine) if keeps else await renew_identity(engine)
        await move(client, new)
        click.echo(f"identity {old or 'none'} -> {new}")
        click.echo(f"namespace {client.namespace} is for database {new}")
    finally:
        await engine.dispose()


def _database(identity: str | None) -> str:
    return f"database {identity}" if identity else "no database yet"


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
