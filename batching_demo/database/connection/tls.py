"""How a connection is encrypted."""

import ssl
from urllib.parse import urlencode

from batching_demo.database.connection.parameters import ConnectionParameters
from batching_demo.database.connection.vocabulary import DRIVER_TLS
from batching_demo.settings import SettingsError

PROTOCOL = "postgresql"
"""What direct TLS names as the protocol inside it."""


def driver_url(parameters: ConnectionParameters) -> str:
    """Return a URL with the encryption alone, for asyncpg, which reads it as libpq does.

    Each connection reads the files again, so certificates may be renewed.
    """
    asked = {name: value for name, value in parameters.said.values.items() if name in DRIVER_TLS}
    return f"postgresql:///?{urlencode({'sslmode': 'prefer', **asked})}"


def system_context(parameters: ConnectionParameters) -> ssl.SSLContext | None:
    """Trust the authorities of this machine, if `sslrootcert=system` asks for it.

    asyncpg does not know this value.
    """
    given = parameters.said.values
    if given.get("sslrootcert") != "system":
        return None
    context = ssl.create_default_context()
    context.set_alpn_protocols([PROTOCOL])
    if lowest := given.get("ssl_min_protocol_version"):
        context.minimum_version = ssl.TLSVersion[lowest.replace(".", "_")]
    if highest := given.get("ssl_max_protocol_version"):
        context.maximum_version = ssl.TLSVersion[highest.replace(".", "_")]
    if "sslcert" in given:
        context.load_cert_chain(
            given["sslcert"], given.get("sslkey"), lambda: given.get("sslpassword", "")
        )
    return context


def check_files(parameters: ConnectionParameters) -> None:
    """Open the files that the encryption needs.

    Raises:
        SettingsError: One cannot be read; Python's own message would not name it.
    """
    if parameters.choice("sslmode", "prefer") == "disable":
        return
    for name in ("sslrootcert", "sslcert", "sslkey", "sslcrl"):
        path = parameters.said.values.get(name)
        if path is None or path == "system":
            continue
        try:
            with open(path, "rb"):
                pass
        except OSError as error:
            raise SettingsError(
                f"{parameters.said.label(name)}: cannot read {path}: {error.strerror}"
            ) from None
