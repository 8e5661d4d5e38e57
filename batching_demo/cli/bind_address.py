"""An address to listen at, as an option names it."""

import os
import socket
from dataclasses import dataclass
from ipaddress import ip_address

from batching_demo.settings import SettingsError


@dataclass(frozen=True)
class BindAddress:
    """An address of this machine, looked up once."""

    text: str
    """As the user wrote it."""
    family: socket.AddressFamily
    host: str
    """As a number."""
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only programs of this machine reach it."""
        return ip_address(self.host.partition("%")[0]).is_loopback


def read_bind(text: str, *, what: str, example: str) -> BindAddress:
    """Read HOST:PORT, and look the host up.

    Args:
        text: An IPv6 address may stand in brackets.
        what: Is served there, for messages.
        example: An address that would do.

    Raises:
        SettingsError: It is malformed, or the host is not known.
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (host and port.isascii() and port.isdecimal() and 1 <= int(port) <= 65_535):
        raise SettingsError(f"no {what} at {text}: write HOST:PORT, such as {example}")
    try:
        (family, *_, (found, *_)), *_ = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise SettingsError(f"no {what} at {text}: the host {host!r} is not known") from None
    return BindAddress(text, family, str(found), int(port))


def cannot_listen(address: BindAddress, *, what: str, option: str, error: OSError) -> SettingsError:
    """Return the error of a server that cannot listen."""
    reason = os.strerror(error.errno).lower() if error.errno else str(error)
    return SettingsError(
        f"no {what} at {address.text}: {reason};"
        f" give {option} an address of this machine and a free port"
    )
