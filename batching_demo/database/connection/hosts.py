"""The hosts of a database URL."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from batching_demo.settings import SettingsError

DEFAULT_PORT = 5432
USUAL_HOSTS = ("/run/postgresql", "/var/run/postgresql", "/tmp", "localhost")  # noqa: S108
"""Tried in this order if no host is named: the directories of sockets, then TCP."""

Place = tuple[str, str]
"""A host's name and its port as text; each may be empty."""


@dataclass(frozen=True)
class Host:
    """A server's name or address, or the directory of its Unix socket; and its port."""

    name: str
    port: int

    def __str__(self) -> str:
        name = f"[{self.name}]" if ":" in self.name else self.name
        return f"{name}:{self.port}"


def split_place(text: str, decode: Callable[[str], str] = str) -> Place:
    """Split `host:port`; the port may be missing, and an IPv6 address may stand in brackets."""
    if text.startswith("["):
        name, _, rest = text[1:].partition("]")
        return decode(name), rest.removeprefix(":")
    if text.startswith("/") or text.count(":") > 1:
        return decode(text), ""
    name, _, port = text.partition(":")
    return decode(name), port


def join_hosts(places: Sequence[Place]) -> dict[str, str]:
    """Return libpq's parameters `host` and `port`, without those that nothing is said of."""
    names, ports = ",".join(name for name, _ in places), ",".join(port for _, port in places)
    found = {"host": names, "port": ports}
    return {name: value for name, value in found.items() if value.strip(",")}


def read_hosts(host: str | None, port: str | None, origin: str) -> tuple[Host, ...]:
    """Read libpq's parameters `host` and `port`, each a list or one value.

    Args:
        host: The parameter `host`.
        port: The parameter `port`.
        origin: What messages call the port.

    Raises:
        SettingsError: A port is none, or there are more or fewer of them than hosts.
    """
    names = [name or "localhost" for name in host.split(",")] if host else USUAL_HOSTS
    ports = [_read_port(text, origin) for text in (port or "").split(",")]
    if len(ports) == 1:
        ports *= len(names)
    if len(ports) != len(names):
        raise SettingsError(f"{origin}: write one for each host, or one for all")
    return tuple(Host(name, number) for name, number in zip(names, ports, strict=True))


def _read_port(text: str, origin: str) -> int:
    if not text:
        return DEFAULT_PORT
    number = int(text) if text.isascii() and text.isdigit() and len(text) < len("100000") else 0
    if not 0 < number < 2**16:
        raise SettingsError(f"{origin} is not a number from 1 to 65535")
    return number
