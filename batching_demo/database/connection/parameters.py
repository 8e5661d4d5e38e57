"""What is said about a connection, ready to be used."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from batching_demo.database.connection.hosts import Host
from batching_demo.database.connection.vocabulary import VARIABLES

CONNECT_TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class Said:
    """The parameters that were given, by libpq's names, and the variable that each comes from."""

    values: Mapping[str, str] = field(repr=False)
    origins: Mapping[str, str]
    origin_of_url: str

    def origin(self, name: str) -> str:
        """Return the variable that a parameter comes from, or would come from."""
        return self.origins.get(name, self.origin_of_url)

    def label(self, name: str) -> str:
        """Name a parameter by the place where it stands, or would stand."""
        variable = self.origin(name)
        if variable == VARIABLES.get(name):
            return variable
        return f"the parameter {name} in {variable}"


@dataclass(frozen=True)
class ConnectionParameters:
    """How to connect, with nothing left to look up but the password file and certificates.

    Printing it shows no password.
    """

    hosts: tuple[Host, ...]
    user: str
    database: str
    password: str | None = field(repr=False)
    password_file: Path | None
    """Where to look for the password, if there is none yet."""
    connect_timeout: float
    """Seconds that each host may take."""
    server_settings: Mapping[str, str]
    """Settings of the session that the URL asks for; they may be made at any time."""
    start_settings: Mapping[str, str]
    """What only its start may say: its name, and `options` that a provider reads."""
    said: Said = field(repr=False)
    """Everything, for whom the fields above do not say enough."""

    def describe(self) -> str:
        """Name the database, without the password."""
        return f"{','.join(map(str, self.hosts))}/{self.database}"

    def choice(self, name: str, default: str) -> str:
        """Return a parameter that may have few values."""
        return self.said.values.get(name, default)

    def numbers(self, *names: str) -> dict[str, int]:
        """Return those of some numeric parameters that were given."""
        values = self.said.values
        return {name: int(values[name]) for name in names if name in values}
