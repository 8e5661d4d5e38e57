"""Where the tables are that roles get privileges on, and who owns them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import OID
from sqlalchemy.ext.asyncio import AsyncConnection

from batching_demo.contracts.targets import OnConflict, TargetDeclaration
from batching_demo.database.errors import DatabaseFailedError, Failure, FailureKind
from batching_demo.database.roles.privileges import READ
from batching_demo.database.schema.migrations import known_revisions, newest_revision
from batching_demo.database.schema.obstacles import find_in_the_way, find_obstacle_of_version
from batching_demo.database.schema.version_table import (
    VERSION_TABLE,
    Version,
    find_version,
    schema_of,
)
from batching_demo.database.targets.check import TargetError
from batching_demo.database.targets.problems import find_problem_of_table
from batching_demo.database.targets.reflection import read_facts, target_of

_PLACE = text(
    "SELECT current_database(), current_schema(),"
    " has_database_privilege('public', current_database(), 'CONNECT')"
)
_OWNERS = text(
    "SELECT relname, pg_get_userbyid(relowner) AS owner FROM pg_class JOIN pg_namespace n"
    " ON n.oid = relnamespace WHERE nspname = :schema AND relname = ANY(:names)"
)
_SEQUENCES = text(
    """
    SELECT n.nspname, s.relname FROM pg_class s JOIN pg_namespace n ON n.oid = s.relnamespace
    WHERE s.relkind = 'S' AND s.oid IN (
        SELECT refobjid FROM pg_attrdef d JOIN pg_depend ON objid = d.oid
        WHERE classid = 'pg_attrdef'::regclass AND refclassid = 'pg_class'::regclass
          AND adrelid = :oid
      UNION
        SELECT objid FROM pg_depend
        JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
        WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass
          AND deptype = 'i' AND attidentity = 'd' AND refobjid = :oid)
    ORDER BY 1, 2
    """
).bindparams(bindparam("oid", type_=OID))
"""The sequences that defaults of a table use, those of columns BY DEFAULT AS IDENTITY included."""
_SCHEMAS_OF_TYPES = text(
    """
    WITH RECURSIVE types AS (
        SELECT atttypid AS oid FROM pg_attribute
        WHERE attrelid = :oid AND attnum > 0 AND NOT attisdropped
      UNION
        SELECT typbasetype FROM types JOIN pg_type USING (oid) WHERE typtype = 'd'
    )
    SELECT DISTINCT nspname FROM types JOIN pg_type USING (oid)
    JOIN pg_namespace n ON n.oid = typnamespace
    WHERE NOT has_schema_privilege('public', n.oid, 'USAGE') ORDER BY 1
    """
).bindparams(bindparam("oid", type_=OID))
"""The schemas of the types of a table's columns, but those that every role may use."""


@dataclass(frozen=True)
class Installation:
    """The tables of batching-demo in one schema of a database."""

    database: str
    schema: str
    owners: Mapping[str, str]
    """Who owns what, by the name of the table or view; empty before the first migration."""
    all_may_connect: bool
    """Whether every role may connect to the database."""


@dataclass(frozen=True)
class OwnTable:
    """The table of a target, and what the writer needs there besides SELECT and INSERT."""

    schema: str
    name: str
    updated: Sequence[str]
    """The columns that it updates."""
    sequences: Sequence[tuple[str, str]]
    """Those that fill columns, each with its schema."""
    schemas_of_types: Sequence[str]
    """Those whose types its columns have. The writer names them."""


def read_installation(connection: Connection) -> Installation:
    """Find the tables, or the schema that `db upgrade` will make them in.

    Raises:
        DatabaseFailedError: They are those of a newer version, or cannot be told from others'.
    """
    database, current, all_may_connect = connection.execute(_PLACE).one()
    version = find_version(connection, known_revisions())
    if obstacle := _unfit(connection, version) if version else find_in_the_way(connection):
        raise DatabaseFailedError(Failure(FailureKind.OPERATOR, obstacle))
    if version is None:
        return Installation(database, current, {}, all_may_connect)
    # At an earlier revision, what has the name of a table that is still to come is somebody else's.
    made = [name for name, since in READ.items() if since <= max(version.revisions, default="")]
    found = connection.execute(_OWNERS, {"schema": version.schema, "names": made})
    owners = {row.relname: row.owner for row in found}
    return Installation(database, version.schema, owners, all_may_connect)


def _unfit(connection: Connection, version: Version) -> str | None:
    """Return why the tables cannot be told from others', and what to do; None if they can."""
    if obstacle := find_obstacle_of_version(version, known_revisions(), newest_revision()):
        return obstacle
    if schema_of(connection, VERSION_TABLE) is None:
        return "an earlier version has made the tables: run `batching-demo db upgrade` first"
    return None


async def read_own_table(connection: AsyncConnection, declaration: TargetDeclaration) -> OwnTable:
    """Find the table of a target.

    Raises:
        TargetError: It has none.
    """
    facts = await read_facts(connection, declaration.table)
    if problem := find_problem_of_table(declaration, facts):
        raise TargetError({declaration.name: [problem]})
    assert facts.relation is not None
    asked = {"oid": facts.relation.oid}
    sequences = await connection.execute(_SEQUENCES, asked)
    schemas_of_types = await connection.scalars(_SCHEMAS_OF_TYPES, asked)
    filled = [one.name for one in target_of(declaration, facts).filled]
    return OwnTable(
        facts.relation.schema,
        facts.relation.name,
        filled if declaration.on_conflict is not OnConflict.IGNORE else [],
        [(schema, name) for schema, name in sequences],
        schemas_of_types.all(),
    )
