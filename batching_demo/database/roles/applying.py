"""Run the statements in one transaction, or say what the role that would run them lacks."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from batching_demo.contracts.targets import TargetDeclaration
from batching_demo.database.advice import cause_of
from batching_demo.database.errors import (
    DatabaseFailedError,
    Failure,
    FailureKind,
    database_errors,
    sqlstate_of,
)
from batching_demo.database.roles.installation import (
    Installation,
    OwnTable,
    read_installation,
    read_own_table,
)
from batching_demo.database.roles.names import Roles
from batching_demo.database.roles.statements import statements

OTHERWISE = "or have an administrator run what `batching-demo db roles` prints"
NO_PRIVILEGE = "42501"
_ABLE = text(
    "SELECT current_user, rolsuper OR rolcreaterole,"
    " ARRAY(SELECT name FROM unnest(CAST(:names AS text[])) AS name"
    " WHERE name NOT IN (SELECT rolname FROM pg_roles))"
    " FROM pg_roles WHERE rolname = current_user"
)
_OF_DATABASE = text(
    "SELECT pg_get_userbyid(datdba), has_database_privilege(oid, 'CONNECT WITH GRANT OPTION')"
    " OR NOT EXISTS (SELECT FROM unnest(CAST(:names AS text[])) AS name"
    " LEFT JOIN pg_roles ON rolname = name"
    " WHERE has_database_privilege(pg_roles.oid, pg_database.oid, 'CONNECT') IS NOT TRUE)"
    " FROM pg_database WHERE datname = current_database()"
)
_OF_SCHEMA = text(
    "SELECT pg_get_userbyid(nspowner), has_schema_privilege(oid, 'USAGE WITH GRANT OPTION')"
    " AND (nspname <> :creating OR has_schema_privilege(oid, 'CREATE WITH GRANT OPTION'))"
    " FROM pg_namespace WHERE nspname = :schema"
)
_OWNS = text("SELECT pg_has_role(:owner, 'USAGE')")
_OWNER = text(
    "SELECT pg_get_userbyid(relowner) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
    " WHERE nspname = :schema AND relname = :name"
)


@dataclass(frozen=True)
class Plan:
    """What is to be done in one database."""

    roles: Roles
    installation: Installation
    own_tables: Sequence[OwnTable]

    @property
    def statements(self) -> list[str]:
        """The statements, for one transaction."""
        return [*statements(self.roles, self.installation, self.own_tables)]


async def make_plan(
    connection: AsyncConnection, roles: Roles, targets: Sequence[TargetDeclaration]
) -> Plan:
    """Look at a database, and return what is to be done there.

    Raises:
        DatabaseFailedError: The tables are not those of this version, or it does not answer.
        TargetError: A target has no table.
    """
    with database_errors():
        installation = await connection.run_sync(read_installation)
        return Plan(roles, installation, [await read_own_table(connection, one) for one in targets])


async def apply(connection: AsyncConnection, plan: Plan) -> None:
    """Do what is to be done, in the transaction of the caller.

    Raises:
        DatabaseFailedError: The role may not, or the database does not answer.
    """
    with database_errors():
        if lacking := await _find_lacking(connection, plan):
            raise DatabaseFailedError(Failure(FailureKind.OPERATOR, lacking))
        try:
            for statement in plan.statements:
                await connection.exec_driver_sql(statement)
        except DBAPIError as error:
            if sqlstate_of(error) != NO_PRIVILEGE:
                raise
            words = " ".join(str(cause_of(error)).split())
            reason = f"Postgres refuses ({words}): connect as an administrator, {OTHERWISE}"
            raise DatabaseFailedError(Failure(FailureKind.OPERATOR, reason, NO_PRIVILEGE)) from None


async def _find_lacking(connection: AsyncConnection, plan: Plan) -> str | None:
    """Return what the role lacks, and what to do.

    Of some of it Postgres would only warn.
    """
    role, may_create, absent = (
        await connection.execute(_ABLE, {"names": [*plan.roles.names]})
    ).one()
    if absent and not may_create:
        return (
            f"role {role} may not create {', '.join(absent)}: connect as a role with CREATEROLE,"
            f" {OTHERWISE}"
        )
    for what, owner in await _not_grantable(connection, plan):
        return f"role {role} may not grant {what}: {_connect_as(owner)}"
    return None


async def _not_grantable(connection: AsyncConnection, plan: Plan) -> list[tuple[str, str]]:
    """Return what the role may not grant, each with the owner."""
    place = plan.installation
    found = []
    if not place.all_may_connect:
        names = {"names": [*plan.roles.names]}
        owner, may_grant = (await connection.execute(_OF_DATABASE, names)).one()
        if not may_grant:
            found.append((f"CONNECT on database {place.database}", owner))
    schemas = {place.schema}.union(
        *((own.schema, *own.schemas_of_types) for own in plan.own_tables)
    )
    for schema in sorted(schemas):
        asked = {"schema": schema, "creating": place.schema}
        owner, may_grant = (await connection.execute(_OF_SCHEMA, asked)).one()
        if not may_grant:
            found.append((f"on schema {schema}", owner))
    owners = dict(place.owners)
    for own in plan.own_tables:
        asked = {"schema": own.schema, "name": own.name}
        owners[f"{own.schema}.{own.name}"] = await connection.scalar(_OWNER, asked)
    for table, owner in owners.items():
        if owner != plan.roles.owner and not await connection.scalar(_OWNS, {"owner": owner}):
            found.append((f"on {table}", owner))
    return found


def _connect_as(owner: str) -> str:
    whose = "the owner of the database" if owner == "pg_database_owner" else owner
    return f"connect as {whose} or as a role that has been granted that role, {OTHERWISE}"
