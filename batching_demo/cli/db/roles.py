"""`batching-demo db roles`: the roles that own the tables, write to them and read them."""

import asyncio
from collections.abc import Iterator, Sequence

import click

from batching_demo.cli import options
from batching_demo.cli.servers import name_database
from batching_demo.contracts.targets import TargetDeclaration
from batching_demo.database.engine import COMMAND_TIMEOUT_SECONDS, create_transactional_engine
from batching_demo.database.errors import database_errors
from batching_demo.database.roles.applying import Plan, apply, make_plan
from batching_demo.database.roles.names import DEFAULT_PREFIX, PREFIX, Roles, quoted
from batching_demo.settings import Settings


def _check_prefix(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if not PREFIX.fullmatch(value):
        raise click.BadParameter(
            f"{value!r} cannot begin the name of a role: take at most 48 letters, digits, - and _,"
            " and begin with neither a digit nor pg_"
        )
    return value


@click.command("roles")
@click.option("--apply", "applies", is_flag=True, help="Run the SQL in place of printing it.")
@options.option(
    "--prefix",
    default=DEFAULT_PREFIX,
    callback=_check_prefix,
    metavar="NAME",
    help="Begins the names of the roles: NAME_owner, NAME_writer and NAME_reader.",
)
@options.targets
@options.pooler
@click.pass_obj
def roles_command(
    settings: Settings, applies: bool, prefix: str, targets: Sequence[TargetDeclaration]
) -> None:
    """Print the SQL that makes three roles with the privileges that each needs, and no more.

    The owner migrates. The writer is for batcher workers, intake workers and the commands that look
    at what is stored or handle dead letters. The reader is for people and Grafana. The SQL may run
    any number of times, before the first migration or after it. With --targets they get what they
    need on these tables too. Roles have no login: the last lines say how to make one.

    \b
    Examples:
      batching-demo db roles | psql "$(batching-demo db url)"
      batching-demo db roles --apply
    """
    name_database(settings)
    plan = asyncio.run(_run(settings, Roles.of_prefix(prefix), targets, applies=applies))
    if applies:
        names = ", ".join(plan.roles.names)
        click.echo(f"{names} have their privileges in schema {plan.installation.schema}")
        click.echo("they have no login; an administrator makes logins, such as these:")
        click.echo("\n".join(f"  {line}" for line in _logins(plan.roles)))
    else:
        click.echo("\n".join(_script(plan)))


async def _run(
    settings: Settings, roles: Roles, targets: Sequence[TargetDeclaration], *, applies: bool
) -> Plan:
    engine = create_transactional_engine(
        settings.required_database_url,
        application_name="batching-demo db roles",
        pooler=settings.pooler,
        command_timeout=COMMAND_TIMEOUT_SECONDS,
    )
    try:
        with database_errors(migrating=True):
            async with engine.begin() as connection:
                plan = await make_plan(connection, roles, targets)
                if applies:
                    await apply(connection, plan)
                return plan
    finally:
        await engine.dispose()


def _script(plan: Plan) -> Iterator[str]:
    """Yield what psql takes, in one transaction."""
    place = f"database {plan.installation.database}, schema {plan.installation.schema}"
    # A name may have a newline, after which it would be no comment any more.
    yield f"-- For {' '.join(place.split())}."
    yield from ("BEGIN;", *(f"{statement};" for statement in plan.statements), "COMMIT;")
    yield "-- The roles have no login. An administrator makes logins, such as these:"
    yield from (f"--   {line}" for line in _logins(plan.roles))


def _logins(roles: Roles) -> Iterator[str]:
    """Yield what makes logins. A password stands in no command, which others or logs may show."""
    yield f"CREATE ROLE migrator LOGIN IN ROLE {quoted(roles.owner)};"
    yield (
        f"ALTER ROLE migrator SET role = {quoted(roles.owner)};"
        f" -- so that what it creates is {roles.owner}'s"
    )
    yield f"CREATE ROLE worker LOGIN IN ROLE {quoted(roles.writer)};"
    yield f"CREATE ROLE viewer LOGIN IN ROLE {quoted(roles.reader)};"
    yield r"\password worker"
