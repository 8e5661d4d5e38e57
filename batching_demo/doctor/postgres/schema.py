"""Whether the schema is at the revision of this code, and could be brought there."""

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from batching_demo.database.schema.migrations import (
    known_revisions,
    newest_revision,
    schema_obstacle,
)
from batching_demo.database.schema.version_table import find_version
from batching_demo.doctor.check import Check, ok, problem

SCHEMA = "schema"


async def check_schema(connection: AsyncConnection) -> Check:
    """Check the revision."""
    return await connection.run_sync(_check)


def _check(connection: Connection) -> Check:
    if obstacle := schema_obstacle(connection):
        return problem(SCHEMA, obstacle)
    version, newest = find_version(connection, known_revisions()), newest_revision()
    if version and version.revisions == {newest}:
        return ok(SCHEMA, f"revision {newest} in schema {version.schema}")
    if version and version.revisions:
        found = f"at revision {', '.join(sorted(version.revisions))}, not {newest}"
    else:
        found = "not migrated"
    return problem(SCHEMA, f"{found}: run `batching-demo db upgrade`")
