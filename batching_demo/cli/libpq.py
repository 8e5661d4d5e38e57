"""A connection as libpq reads it, the library of psql and of most other clients."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from batching_demo.database.connection.hosts import Host
from batching_demo.database.connection.parameters import ConnectionParameters
from batching_demo.database.connection.vocabulary import DRIVER_ONLY
from batching_demo.secret_files import SECRETS

IN_ADDRESS = frozenset({"host", "port", "user", "password", "dbname"})
NOT_ON_A_COMMAND_LINE = frozenset({"sslpassword"})
"""libpq has no variable for it, so psql has to ask."""


def libpq_uri(parameters: ConnectionParameters, *, with_password: bool) -> str:
    """Format a URL that leaves nothing to libpq's variables, but for the password.

    libpq reads a space from %20 only, and a plus as itself.
    """
    login = quote(parameters.user, safe="")
    if with_password and parameters.password is not None:
        login += f":{quote(parameters.password, safe='')}"
    hosts = ",".join(map(_place, parameters.hosts))
    uri = f"postgresql://{login}@{hosts}/{quote(parameters.database, safe='')}"
    others = IN_ADDRESS | DRIVER_ONLY | (frozenset() if with_password else NOT_ON_A_COMMAND_LINE)
    said = parameters.said.values.items()
    rest = {name: value for name, value in said if name not in others}
    query = urlencode(rest, safe="/", quote_via=quote)
    return f"{uri}?{query}" if query else uri


def libpq_environment(
    parameters: ConnectionParameters, environ: Mapping[str, str]
) -> dict[str, str]:
    """Return an environment without libpq's variables, but for the password, and without secrets.

    A command line is no secret, so the password cannot stand there.
    """
    others = {
        name: value
        for name, value in environ.items()
        if name not in SECRETS and (not name.startswith("PG") or name.startswith("PG_"))
    }
    password = parameters.password
    return others if password is None else {**others, "PGPASSWORD": password}


def _place(host: Host) -> str:
    if ":" in host.name:
        return str(host)
    return f"{quote(host.name, safe='')}:{host.port}"
