"""What keeps a migration from being run, found before it is tried."""

from collections.abc import Collection

from sqlalchemy import Connection, text

from batching_demo.database.models import metadata
from batching_demo.database.read_only import read_only
from batching_demo.database.schema.version_table import (
    OLD_VERSION_TABLE,
    OURS,
    VERSION_TABLE,
    Version,
    find_version,
    is_ours,
    qualified,
    read_version,
    schema_of,
)

VIEWS = ("write_counts",)
_PLACE = text("SELECT current_schema(), current_user, current_setting('search_path')")
_UNUSABLE = text(
    "SELECT nspname FROM pg_namespace"
    " WHERE nspname = ANY(:names) AND NOT has_schema_privilege(oid, 'USAGE')"
)
_OWNER = text(
    "SELECT tableowner FROM pg_tables WHERE schemaname = :schema AND tablename = 'records'"
)
_MAY_CREATE = text("SELECT has_schema_privilege(:schema, 'CREATE')")


def find_obstacle(connection: Connection, known: Collection[str], newest: str) -> str | None:
    """Return what keeps a migration from being run, and what to do; None if nothing does.

    Args:
        connection: It changes nothing on it.
        known: All revisions of this version.
        newest: The one to migrate to.
    """
    version = find_version(connection, known)
    if version and (obstacle := find_obstacle_of_version(version, known, newest)):
        return obstacle
    revisions = version.revisions if version else frozenset()
    if revisions == {newest}:
        return None
    return (
        (None if version else _unusable_schema(connection))
        or _not_writable(connection)
        or (None if revisions else find_in_the_way(connection))
        or _may_not_create(connection, version)
    )


def find_obstacle_of_version(version: Version, known: Collection[str], newest: str) -> str | None:
    """Return why this version of batching-demo cannot use the tables; None if it can."""
    if not version.is_readable:
        return f"the role may not read {VERSION_TABLE}: grant SELECT on it"
    if unknown := version.revisions - set(known):
        return (
            f"the schema is at revision {', '.join(sorted(unknown))}, and this version of"
            f" batching-demo knows none after {newest}: use the newer version"
        )
    return None


def _unusable_schema(connection: Connection) -> str | None:
    """Return which schema of the search path the role would not look into."""
    _, role, search_path = connection.execute(_PLACE).one()
    names = [name.strip().strip('"') for name in search_path.split(",")]
    for schema in connection.scalars(_UNUSABLE, {"names": names}):
        return f"role {role} may not use schema {schema}: grant USAGE on schema {schema} to {role}"
    return None


def _not_writable(connection: Connection) -> str | None:
    reason = read_only(connection)
    return f"the database is {reason}" if reason else None


def find_in_the_way(connection: Connection) -> str | None:
    """Return which relation has the name of one that the first migration makes, and what to do."""
    schema, _, search_path = connection.execute(_PLACE).one()
    if schema is None:
        return f"no schema of the search path ({search_path}) exists: create one"
    for name in (*metadata.tables, *VIEWS):
        if schema_of(connection, qualified(schema, name)):
            if name in OURS and is_ours(connection, schema, name):
                return _without_version(connection, f"{schema}.{name}")
            return (
                f"{schema}.{name} is in the way, and not batching-demo's: rename it, or choose"
                " another schema"
            )
    return None


def _without_version(connection: Connection, table: str) -> str:
    old = read_version(connection, OLD_VERSION_TABLE)
    if old and not old.is_readable:
        return f"the role may not read {OLD_VERSION_TABLE}: grant SELECT on it"
    says = f", and {OLD_VERSION_TABLE} has no revision of this version" if old else ""
    return (
        f"{table} is there, but no {VERSION_TABLE}{says}: if a newer version or migrations of your"
        " own have made the table, migrate with these"
    )


def _may_not_create(connection: Connection, version: Version | None) -> str | None:
    current, role, _ = connection.execute(_PLACE).one()
    schema = version.schema if version else current
    if connection.scalar(_MAY_CREATE, {"schema": schema}):
        return None
    owner = connection.scalar(_OWNER, {"schema": schema})
    if version and owner not in (None, role):
        # A worker's role is not meant to get that privilege.
        return (
            f"the schema is at revision {', '.join(sorted(version.revisions))}, and role {role} may"
            f" not change it: run `batching-demo db upgrade` as {owner}, who owns the tables"
        )
    return f"role {role} may not change schema {schema}: grant CREATE on schema {schema} to {role}"
