"""The table that holds the revision of the schema, and whether tables are batching-demo's."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, text

VERSION_TABLE = "batching_demo_alembic_version"
OLD_VERSION_TABLE = "alembic_version"
"""Alembic's default. Earlier versions used it, and so may any other program."""
OURS: Mapping[str, frozenset[str]] = {
    "records": frozenset({"idempotency_key", "content_hash", "submission_id", "write_path"}),
    "dead_letters": frozenset({"identity", "idempotency_key", "record", "run_label"}),
}
"""Tables of batching-demo, each with columns that no other program's table of this name has."""

_SCHEMA = text(
    "SELECT nspname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
    " WHERE pg_class.oid = to_regclass(:name)"
)
_COLUMNS = text(
    "SELECT attname FROM pg_attribute"
    " WHERE attrelid = to_regclass(:name) AND attnum > 0 AND NOT attisdropped"
)
_READABLE = text(
    "SELECT has_column_privilege(attrelid, attnum, 'SELECT') FROM pg_attribute"
    " WHERE attrelid = to_regclass(:name) AND attname = 'version_num'"
)
_PRIMARY_KEY = text(
    "SELECT conname FROM pg_constraint WHERE conrelid = to_regclass(:name) AND contype = 'p'"
)


@dataclass(frozen=True)
class Version:
    """What a version table says. The search path decides which one that is."""

    schema: str
    revisions: frozenset[str]
    is_readable: bool = True
    """Whether the role may read it."""


def read_version(connection: Connection, table: str = VERSION_TABLE) -> Version | None:
    """Return what a version table says; None if there is none of this name."""
    schema = schema_of(connection, table)
    is_readable = connection.scalar(_READABLE, {"name": table})
    if schema is None or is_readable is None:
        return None
    if not is_readable:
        return Version(schema, frozenset(), is_readable=False)
    revisions = connection.scalars(text(f"SELECT version_num FROM {table}"))
    return Version(schema, frozenset(revisions))


def find_version(connection: Connection, known: Collection[str]) -> Version | None:
    """Return what the version table says, or the one that an earlier version has made.

    Args:
        connection: It changes nothing on it.
        known: The revisions of batching-demo.
    """
    if version := read_version(connection):
        return version
    old = read_version(connection, OLD_VERSION_TABLE)
    if old is None or not old.revisions or not old.revisions <= set(known):
        return None
    tables = ["records"] if old.revisions == {"0001"} else [*OURS]
    return old if all(is_ours(connection, old.schema, table) for table in tables) else None


def move_version(connection: Connection, known: Collection[str]) -> None:
    """Rename the version table of an earlier version of batching-demo; leave any other alone.

    Args:
        connection: In the transaction of the migration.
        known: The revisions of batching-demo.
    """
    if schema_of(connection, VERSION_TABLE) or find_version(connection, known) is None:
        return
    key = connection.scalar(_PRIMARY_KEY, {"name": OLD_VERSION_TABLE})
    connection.execute(text(f"ALTER TABLE {OLD_VERSION_TABLE} RENAME TO {VERSION_TABLE}"))
    if key:
        rename = f'RENAME CONSTRAINT "{key}" TO {VERSION_TABLE}_pkc'
        connection.execute(text(f"ALTER TABLE {VERSION_TABLE} {rename}"))


def is_ours(connection: Connection, schema: str, table: str) -> bool:
    """Return whether a table is batching-demo's, by its columns."""
    name = qualified(schema, table)
    return OURS[table] <= set(connection.scalars(_COLUMNS, {"name": name}))


def schema_of(connection: Connection, name: str) -> str | None:
    """Return the schema of a relation; None if the search path finds none of this name."""
    schema: str | None = connection.scalar(_SCHEMA, {"name": name})
    return schema


def qualified(schema: str, name: str) -> str:
    """Return the name of a relation with its schema, for `to_regclass`."""
    quoted = schema.replace('"', '""')
    return f'"{quoted}".{name}'
