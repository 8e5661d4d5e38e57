"""The database's URL as libpq reads it, the library of psql and of most other clients."""

from urllib.parse import quote, urlencode

from sqlalchemy import URL

NAMES = {"ssl": "sslmode", "database": "dbname"}
"""Names that asyncpg and libpq give to the same parameter."""
DRIVER_ONLY = frozenset({"prepared_statement_cache_size"})
"""Parameters that libpq would refuse."""


def split_password(url: URL) -> tuple[URL, str | None]:
    """Return a URL without its password, and the password: a command line is no secret."""
    parameter = url.query.get("password")
    rest = url.difference_update_query(["password"])
    bare = URL.create(
        rest.drivername, rest.username, None, rest.host, rest.port, rest.database, rest.query
    )
    return bare, url.password or (parameter if isinstance(parameter, str) else None)


def libpq_uri(url: URL) -> str:
    """Format a URL for libpq, which reads a space from %20 only, and a plus as itself."""
    address = URL.create("postgresql", url.username, url.password, url.host, url.port, url.database)
    uri = address.render_as_string(hide_password=False).replace(" ", "%20")
    parameters = {
        NAMES.get(name, name): value if isinstance(value, str) else ",".join(value)
        for name, value in url.query.items()
        if name not in DRIVER_ONLY
    }
    query = urlencode(parameters, safe="/", quote_via=quote)
    return f"{uri}?{query}" if query else uri
