"""What a role may do that no worker needs."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from batching_demo.database.roles.privileges import INSERTED, READ, UPDATED

_ATTRIBUTES = {
    "rolcreaterole": "may create roles",
    "rolcreatedb": "may create databases",
    "rolreplication": "may replicate",
}
_ROLE = text(
    "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication,"
    " ARRAY(SELECT name FROM unnest(ARRAY['pg_execute_server_program', 'pg_write_server_files',"
    " 'pg_read_server_files']) AS name WHERE pg_has_role(name, 'USAGE')) AS of_server"
    " FROM pg_roles WHERE rolname = current_user"
)
_PLACE = text(
    "SELECT nspname AS schema, has_schema_privilege(n.oid, 'CREATE') AS creates,"
    " pg_has_role(relowner, 'USAGE') AS owns FROM pg_class JOIN pg_namespace n"
    " ON n.oid = relnamespace WHERE pg_class.oid = to_regclass('records')"
)
_OF_TABLES = text(
    "SELECT name, privilege FROM unnest(CAST(:names AS text[])) AS name, unnest(ARRAY['INSERT',"
    " 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS privilege"
    " WHERE has_table_privilege(to_regclass(name), privilege)"
)
_OF_COLUMNS = text(
    "SELECT name, attname FROM unnest(CAST(:names AS text[])) AS name"
    " JOIN pg_attribute ON attrelid = to_regclass(name) AND attnum > 0 AND NOT attisdropped"
    " WHERE has_column_privilege(attrelid, attnum, 'UPDATE')"
)


async def find_excess(connection: AsyncConnection) -> list[str]:
    """Return what the current role may do with the tables, or with the server, and needs not.

    Args:
        connection: To a database whose schema is the newest.

    Raises:
        SQLAlchemyError: Postgres does not answer.
    """
    role = (await connection.execute(_ROLE)).mappings().one()
    if role["rolsuper"]:
        return ["it is a superuser"]
    found = [f"it {words}" for attribute, words in _ATTRIBUTES.items() if role[attribute]]
    found += [f"it has the privileges of {name}" for name in role["of_server"]]
    place = (await connection.execute(_PLACE)).one()
    if place.owns:
        return [*found, "it owns the tables"]
    if place.creates:
        found.append(f"it may create objects in schema {place.schema}")
    return [*found, *await _on_tables(connection)]


async def _on_tables(connection: AsyncConnection) -> list[str]:
    by_table: dict[str, set[str]] = {}
    asked = {"names": [*READ]}
    for table, privilege in await connection.execute(_OF_TABLES, asked):
        if not (privilege == "INSERT" and table in INSERTED):
            by_table.setdefault(table, set()).add(privilege)
    for table, column in await connection.execute(_OF_COLUMNS, asked):
        if column not in UPDATED.get(table, ()):
            by_table.setdefault(table, set()).add("UPDATE")
    return [f"it has {', '.join(sorted(of))} on {table}" for table, of in by_table.items()]
