"""Why a database takes no writes."""

from sqlalchemy import Connection, text

STATE = text(
    "SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on', current_user,"
    " current_database(),"
    " (SELECT source FROM pg_settings WHERE name = 'default_transaction_read_only')"
)


def read_only(connection: Connection) -> str | None:
    """Return who has made the database read-only, and what to do; None if it takes writes."""
    is_standby, is_read_only, role, database, source = connection.execute(STATE).one()
    if is_standby:
        return "a standby, and read-only: name the primary"
    if not is_read_only:
        return None
    off = "SET default_transaction_read_only = off"
    return {
        "user": f"read-only for role {role}: ALTER ROLE {role} {off}",
        "database": f"read-only for database {database}: ALTER DATABASE {database} {off}",
        "database user": f"read-only for role {role} in database {database}:"
        f" ALTER ROLE {role} IN DATABASE {database} {off}",
        "client": "read-only because DATABASE_URL or PGOPTIONS asks for it: remove that",
    }.get(
        source,
        "read-only for the whole server, as some providers make it when its disk is full:"
        " make room, then set default_transaction_read_only to off there",
    )
