"""Checks of Postgres: whether it answers, its schema, the privileges of its role, its clock."""

import time

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from batching_demo.database.connection.reading import describe_database
from batching_demo.database.engine import create_transactional_engine
from batching_demo.database.errors import DatabaseFailedError, database_errors
from batching_demo.database.migrations import newest_revision
from batching_demo.doctor.check import Check, CheckOutcome, ok, problem, skipped
from batching_demo.settings import Settings, SettingsError

POSTGRES, SCHEMA, PERMISSIONS, CLOCK = "Postgres", "schema", "permissions", "clock"
NEEDED = {"records": ("INSERT", "SELECT"), "dead_letters": ("INSERT", "SELECT", "UPDATE")}
"""The privileges that the batcher worker needs, by table."""
LARGEST_DIFFERENCE_SECONDS = 2.0


async def check_postgres(settings: Settings) -> list[Check]:
    """Check the database that the settings name."""
    try:
        url = settings.required_database_url
        engine = create_transactional_engine(url, application_name="batching-demo doctor")
    except SettingsError as error:
        return _unreachable(str(error))
    try:
        with database_errors():
            async with engine.connect() as connection:
                return await _check(connection, describe_database(settings))
    except DatabaseFailedError as error:
        return _unreachable(f"{error} ({describe_database(settings)})")
    finally:
        await engine.dispose()


def _unreachable(detail: str) -> list[Check]:
    others = (SCHEMA, PERMISSIONS, CLOCK)
    return [problem(POSTGRES, detail), *(skipped(name, POSTGRES) for name in others)]


async def _check(connection: AsyncConnection, place: str) -> list[Check]:
    schema = await _schema(connection)
    if schema.outcome is CheckOutcome.OK:
        permissions = await _permissions(connection)
    else:
        permissions = skipped(PERMISSIONS, SCHEMA)
    return [await _server(connection, place), schema, permissions, await _clock(connection)]


async def _server(connection: AsyncConnection, place: str) -> Check:
    version, is_standby = (
        await connection.execute(
            text("SELECT current_setting('server_version'), pg_is_in_recovery()")
        )
    ).one()
    if is_standby:
        return problem(POSTGRES, f"{place} is a standby, and read-only: name the primary")
    return ok(POSTGRES, f"{place}, server {version}")


async def _schema(connection: AsyncConnection) -> Check:
    def revision(synchronous: Connection) -> str | None:
        return MigrationContext.configure(synchronous).get_current_revision()

    current, newest = await connection.run_sync(revision), newest_revision()
    if current == newest:
        return ok(SCHEMA, f"revision {current}")
    found = f"at revision {current}, not {newest}" if current else "not migrated"
    return problem(SCHEMA, f"{found}: run `batching-demo db upgrade`")


async def _permissions(connection: AsyncConnection) -> Check:
    asked = [(table, privilege) for table, needed in NEEDED.items() for privilege in needed]
    missing = []
    for table, privilege in asked:
        may = text("SELECT has_table_privilege(:table, :privilege)")
        if not await connection.scalar(may, {"table": table, "privilege": privilege}):
            missing.append(f"{privilege} on {table}")
    if missing:
        role = await connection.scalar(text("SELECT current_user"))
        return problem(PERMISSIONS, f"role {role} lacks {', '.join(missing)}: grant it")
    return ok(PERMISSIONS, "the role may do what the worker does")


async def _clock(connection: AsyncConnection) -> Check:
    """Compare both clocks; the database's answer counts for the middle of the round trip."""
    before = time.time()
    there = await connection.scalar(text("SELECT extract(epoch FROM clock_timestamp())"))
    difference = float(there or 0) - (before + time.time()) / 2
    if abs(difference) > LARGEST_DIFFERENCE_SECONDS:
        advice = "set both by NTP, or ages and times of records mislead"
        return problem(CLOCK, f"the database's is {difference:+.1f} s off this machine's: {advice}")
    return ok(CLOCK, f"the database's is {difference:+.3f} s off this machine's")
