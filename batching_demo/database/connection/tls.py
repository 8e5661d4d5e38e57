"""How a connection is encrypted."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from batching_demo.database.connection.parameters import ConnectionParameters
from batching_demo.database.connection.vocabulary import DRIVER_TLS
from batching_demo.settings import SettingsError

DEFAULT_MODE = "prefer"
SYSTEM = "system"
"""The value of `sslrootcert` that trusts the authorities of this machine."""
PROTOCOL = "postgresql"
"""What a client offers as the protocol inside TLS, so that direct TLS is possible."""


def tls_mode(parameters: ConnectionParameters) -> str:
    """Return how the connection is to be encrypted, as a value of `sslmode`."""
    return parameters.choice("sslmode", DEFAULT_MODE)


def driver_url(parameters: ConnectionParameters) -> str:
    """Return a URL with the encryption alone, for asyncpg, which reads it as libpq does.

    Each connection reads the files again, so certificates may be renewed.
    """
    said = parameters.said.values
    asked = {name: said[name] for name in sorted(DRIVER_TLS & said.keys())}
    return f"postgresql:///?{urlencode({'sslmode': DEFAULT_MODE, **asked})}"


def system_context(parameters: ConnectionParameters) -> ssl.SSLContext | None:
    """Trust the authorities of this machine, if `sslrootcert=system` asks for it.

    asyncpg does not know this value.
    """
    said = parameters.said.values
    if said.get("sslrootcert") != SYSTEM:
        return None
    context = ssl.create_default_context()
    context.set_alpn_protocols([PROTOCOL])
    if lowest := said.get("ssl_min_protocol_version"):
        context.minimum_version = ssl.TLSVersion[lowest.replace(".", "_")]
    if highest := said.get("ssl_max_protocol_version"):
        context.maximum_version = ssl.TLSVersion[highest.replace(".", "_")]
    if certificate := said.get("sslcert"):
        _load_certificate(context, certificate, parameters)
    return context


def check_files(parameters: ConnectionParameters) -> None:
    """Load the files that the encryption needs.

    Raises:
        SettingsError: One cannot be used; the driver's own message would not name it.
    """
    if tls_mode(parameters) == "disable":
        return
    said = parameters.said.values
    for name in ("sslrootcert", "sslcrl", "sslcert", "sslkey"):
        if (path := said.get(name, SYSTEM)) != SYSTEM:
            with _blaming(parameters, name):
                Path(path).read_bytes()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if (authority := said.get("sslrootcert", SYSTEM)) != SYSTEM:
        with _blaming(parameters, "sslrootcert"):
            context.load_verify_locations(authority)
    if (certificate := said.get("sslcert")) and "sslkey" in said:
        with _blaming(parameters, "sslcert"):
            _load_certificate(context, certificate, parameters)


def _load_certificate(context: ssl.SSLContext, path: str, parameters: ConnectionParameters) -> None:
    said = parameters.said.values
    context.load_cert_chain(path, said.get("sslkey"), lambda: said.get("sslpassword", ""))


@contextmanager
def _blaming(parameters: ConnectionParameters, name: str) -> Iterator[None]:
    """Name the parameter whose file cannot be used."""
    place = f"{parameters.said.label(name)}: {parameters.said.values.get(name)}"
    try:
        yield
    except ssl.SSLError as error:
        reason = (
            (error.reason or "not a certificate with a key that opens").replace("_", " ").lower()
        )
        raise SettingsError(f"{place} cannot be used: {reason}") from None
    except OSError as error:
        raise SettingsError(f"{place} cannot be read: {error.strerror}") from None
