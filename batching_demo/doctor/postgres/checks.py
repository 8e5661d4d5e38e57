"""All checks of Postgres, on one connection."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from batching_demo.contracts.targets import TargetDeclaration
from batching_demo.database.connection.reading import describe_database
from batching_demo.database.engine import COMMAND_TIMEOUT_SECONDS, create_transactional_engine
from batching_demo.database.errors import DatabaseFailedError, database_errors
from batching_demo.doctor.check import Check, CheckOutcome, problem, skipped
from batching_demo.doctor.postgres.clock import CLOCK, check_clock
from batching_demo.doctor.postgres.commits import COMMITS, check_commits
from batching_demo.doctor.postgres.own_targets import TARGETS, check_own_targets
from batching_demo.doctor.postgres.permissions import PERMISSIONS, check_permissions
from batching_demo.doctor.postgres.schema import SCHEMA, check_schema
from batching_demo.doctor.postgres.server import POSTGRES, check_server
from batching_demo.doctor.postgres.tables import TABLES, check_tables
from batching_demo.settings import EMBEDDED, Settings, SettingsError


async def check_postgres(
    settings: Settings, targets: Sequence[TargetDeclaration] = ()
) -> list[Check]:
    """Check the database that the settings name, and the declared targets in it."""
    try:
        url = settings.required_database_url
        engine = create_transactional_engine(
            url,
            application_name="batching-demo doctor",
            pooler=settings.pooler,
            command_timeout=COMMAND_TIMEOUT_SECONDS,
        )
    except SettingsError as error:
        return _unreachable(str(error))
    try:
        with database_errors():
            async with engine.connect() as connection:
                return await _check(connection, settings, targets)
    except DatabaseFailedError as error:
        return _unreachable(f"{error} ({describe_database(settings)})")
    finally:
        await engine.dispose()


def _unreachable(detail: str) -> list[Check]:
    others = (SCHEMA, PERMISSIONS, TABLES, TARGETS, COMMITS, CLOCK)
    return [problem(POSTGRES, detail), *(skipped(name, POSTGRES) for name in others)]


async def _check(
    connection: AsyncConnection, settings: Settings, targets: Sequence[TargetDeclaration]
) -> list[Check]:
    server = await check_server(connection, describe_database(settings))
    schema = await check_schema(connection)
    if schema.outcome is CheckOutcome.OK:
        is_embedded = settings.database_origins == (EMBEDDED,)
        of_tables = [
            await check_permissions(connection, targets, is_embedded=is_embedded),
            await check_tables(connection),
        ]
    else:
        of_tables = [skipped(name, SCHEMA) for name in (PERMISSIONS, TABLES)]
    own = await check_own_targets(settings, targets)
    rest = [await check_commits(connection), await check_clock(connection)]
    return [server, schema, *of_tables, own, *rest]
