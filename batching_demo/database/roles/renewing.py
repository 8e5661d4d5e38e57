"""Give writer and reader their privileges on the tables that a migration has made or changed."""

from sqlalchemy import Connection, text

from batching_demo.database.roles.names import Roles
from batching_demo.database.roles.privileges import READ
from batching_demo.database.roles.statements import on_tables

_PLACE = text(
    "SELECT nspname, pg_get_userbyid(relowner) FROM pg_class JOIN pg_namespace n"
    " ON n.oid = relnamespace WHERE pg_class.oid = to_regclass('records')"
)
_MADE_BY_US = text(
    "SELECT count(*) FROM pg_default_acl, aclexplode(defaclacl) AS acl"
    " WHERE pg_get_userbyid(defaclrole) = :owner AND pg_get_userbyid(grantee) IN (:writer, :reader)"
    " AND defaclnamespace = CAST(quote_ident(:schema) AS regnamespace)"
)
_PRESENT = text(
    "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
    " WHERE nspname = :schema AND relname = ANY(:names)"
)


def renew_privileges(connection: Connection) -> None:
    """Do what `db roles` does on tables, if it has made the role that owns them.

    Default privileges alone would not do: they are for all new tables, and for no single column.

    Args:
        connection: In the transaction of the migration.
    """
    found = connection.execute(_PLACE).one_or_none()
    if found is None:
        return
    schema, owner = found
    roles = Roles.of_owner(owner)
    if roles is None:
        return
    asked = {"owner": owner, "writer": roles.writer, "reader": roles.reader, "schema": schema}
    if not connection.scalar(_MADE_BY_US, asked):
        return
    present = set(connection.scalars(_PRESENT, {"schema": schema, "names": [*READ]}))
    for statement in on_tables(roles, schema, present):
        connection.exec_driver_sql(statement)
