"""The SQL that makes the roles and gives them their privileges. It may run any number of times."""

from collections.abc import Collection, Iterator

from batching_demo.database.roles.installation import Installation, OwnTable
from batching_demo.database.roles.names import Roles, quoted
from batching_demo.database.roles.privileges import INSERTED, READ, UPDATED

BEGIN = "SET LOCAL lock_timeout = '10s'"
"""The first statement: a change of an owner waits for all who use the table, and others for it."""


def statements(
    roles: Roles, installation: Installation, own_tables: Collection[OwnTable]
) -> Iterator[str]:
    """Yield all statements, for one transaction.

    Args:
        roles: Their names.
        installation: Where the tables are, or will be.
        own_tables: Those of targets.
    """
    yield BEGIN
    for role in roles.names:
        yield _create(role)
    yield _join(roles.owner)
    yield from _on_schema(roles, installation)
    for table, owner in installation.owners.items():
        if owner != roles.owner:
            changed = quoted(installation.schema, table)
            yield f"ALTER TABLE {changed} OWNER TO {quoted(roles.owner)}"
    yield from on_tables(roles, installation.schema, installation.owners.keys())
    for own in own_tables:
        yield from on_own_table(roles, own)


def on_tables(roles: Roles, schema: str, tables: Collection[str]) -> Iterator[str]:
    """Yield what gives writer and reader exactly their privileges on tables of batching-demo."""
    both, writer = _both(roles), quoted(roles.writer)
    for name in READ:
        if name not in tables:
            continue
        table = quoted(schema, name)
        # They may have more, from an earlier version or by hand.
        yield f"REVOKE ALL ON TABLE {table} FROM {both}"
        yield f"GRANT SELECT ON TABLE {table} TO {both}"
        if name in INSERTED:
            yield f"GRANT INSERT ON TABLE {table} TO {writer}"
        if columns := UPDATED.get(name):
            yield f"GRANT UPDATE ({_listed(columns)}) ON TABLE {table} TO {writer}"


def _create(role: str) -> str:
    return (
        "DO $$ BEGIN\n"
        f"    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN\n"
        f"        CREATE ROLE {quoted(role)} NOLOGIN;\n"
        "    END IF;\n"
        "END $$"
    )


def _join(owner: str) -> str:
    """Return what makes the role that runs it a member of the owner, unless it can act as that.

    Only so may it give tables to the owner, if it is no superuser. From PostgreSQL 16 on, not even
    the role that has created another one can act as that.
    """
    return (
        "DO $$ BEGIN\n"
        f"    IF NOT (pg_has_role('{owner}', 'USAGE') AND pg_has_role('{owner}',\n"
        "        CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER'"
        " ELSE 'SET' END)) THEN\n"
        f"        GRANT {quoted(owner)} TO CURRENT_USER;\n"
        "    END IF;\n"
        "END $$"
    )


def _on_schema(roles: Roles, installation: Installation) -> Iterator[str]:
    owner, both, schema = quoted(roles.owner), _both(roles), quoted(installation.schema)
    if not installation.all_may_connect:
        database = quoted(installation.database)
        yield f"GRANT CONNECT ON DATABASE {database} TO {owner}, {both}"
    yield f"GRANT USAGE, CREATE ON SCHEMA {schema} TO {owner}"
    yield f"GRANT USAGE ON SCHEMA {schema} TO {both}"
    # For the tables of later migrations. What else the writer needs there, `db upgrade` gives it.
    yield (
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {schema}"
        f" GRANT SELECT ON TABLES TO {both}"
    )


def on_own_table(roles: Roles, own: OwnTable) -> Iterator[str]:
    """Yield what gives writer and reader their privileges on the table of a target.

    It takes none away: the table is the user's, and so is what else is granted on it.
    """
    table, both, writer = quoted(own.schema, own.name), _both(roles), quoted(roles.writer)
    yield f"GRANT USAGE ON SCHEMA {quoted(own.schema)} TO {both}"
    yield f"GRANT SELECT ON TABLE {table} TO {both}"
    yield f"GRANT INSERT ON TABLE {table} TO {writer}"
    if own.updated:
        yield f"GRANT UPDATE ({_listed(own.updated)}) ON TABLE {table} TO {writer}"
    for schema in own.schemas_of_types:
        if schema != own.schema:
            yield f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {writer}"
    for schema, sequence in own.sequences:
        yield f"GRANT USAGE ON SEQUENCE {quoted(schema, sequence)} TO {writer}"


def _both(roles: Roles) -> str:
    return f"{quoted(roles.writer)}, {quoted(roles.reader)}"


def _listed(columns: Collection[str]) -> str:
    return ", ".join(map(quoted, columns))
