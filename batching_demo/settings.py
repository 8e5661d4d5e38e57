"""Settings from the environment; those of the connection to Temporal are temporalio.envconfig's."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, ValidationError

from batching_demo.contracts.errors import SettingsError as SettingsError
from batching_demo.contracts.payloads import ENCRYPTION_KEYS
from batching_demo.secret_files import find_secret

DATABASE_URL = "DATABASE_URL"
DATABASE_URL_FILE = "DATABASE_URL_FILE"
EMBEDDED = "the embedded Postgres"
FILE_SCHEME = "file://"
"""Begins the path of a file that holds the URL, in place of the URL."""
POOLER = "BATCHING_DEMO_POOLER"
QUEUE_URL = "BATCHING_DEMO_QUEUE_URL"
CLIENT_PLUGIN = "BATCHING_DEMO_CLIENT_PLUGIN"
TARGETS = "BATCHING_DEMO_TARGETS"


Pooler = Literal["auto", "transaction"]
"""What is known of a pooler before Postgres, such as PgBouncer: nothing, so that it has to be found
out; or that it may give each transaction another session."""
POOLERS: Sequence[Pooler] = get_args(Pooler)


class DevStackAddresses(BaseModel):
    """The addresses of the embedded servers, as `dev up` writes them into the state directory."""

    model_config = ConfigDict(frozen=True)

    database_url: str
    temporal_address: str
    ui_url: str
    queue_url: str | None = None
    """The URL of Valkey's first database; None if no Valkey runs."""

    def workflow_page(self, workflow_id: str) -> str:
        """Return the address of a workflow in the Web UI, which shows its latest run."""
        return f"{self.ui_url}/namespaces/default/workflows/{quote(workflow_id, safe='')}"

    @classmethod
    def read(cls, state_directory: Path) -> "DevStackAddresses | None":
        """Read the addresses; None if no embedded servers run."""
        try:
            return cls.model_validate_json(cls.path(state_directory).read_bytes())
        except (OSError, ValidationError):
            return None

    @staticmethod
    def path(state_directory: Path) -> Path:
        """Return the file that `dev up` writes and `dev down` removes."""
        return state_directory / "devstack.json"


@dataclass(frozen=True)
class Settings:
    """What every command needs to know of its surroundings."""

    known_state_directory: Path | None
    database_url: str | None = None
    devstack: DevStackAddresses | None = None
    database_origins: tuple[str, ...] = ()
    """What names the database: variables, or else the embedded Postgres."""
    pooler: Pooler = "auto"
    queue_url: str = ""
    """The server and the database of the write path `queued`; empty if there is none."""
    client_plugin: str | None = None
    """What makes a plugin for clients of Temporal: `module:factory`."""
    variables: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    """Those of the environment, for what only some commands read."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the environment; without servers in it, take the embedded ones if they run."""
        state_directory = find_state_directory(environ)
        devstack = DevStackAddresses.read(state_directory) if state_directory else None
        origins = tuple(name for name in (DATABASE_URL, DATABASE_URL_FILE) if environ.get(name))
        url = None
        if origins:
            url = environ.get(DATABASE_URL) or f"{FILE_SCHEME}{environ[DATABASE_URL_FILE]}"
        elif devstack:
            origins, url = (EMBEDDED,), devstack.database_url
        return cls(
            state_directory,
            url,
            devstack,
            origins,
            queue_url=(devstack.queue_url if devstack else None) or "",
            client_plugin=environ.get(CLIENT_PLUGIN) or None,
            variables=environ,
        )

    @property
    def state_directory(self) -> Path:
        """Where servers, logs and copies of inputs are.

        Raises:
            SettingsError: This user has no home directory, and the environment names none.
        """
        if self.known_state_directory is None:
            raise SettingsError(
                "no place for the state directory: this user has no home directory; set"
                " XDG_STATE_HOME to a directory that may be written to"
            )
        return self.known_state_directory

    @cached_property
    def encryption_keys(self) -> str:
        """The keys that encrypt payloads, as `read_keys` reads them; empty if there are none.

        Raises:
            SettingsError: Their file cannot be read, or they are set twice.
        """
        return find_secret(self.variables, ENCRYPTION_KEYS)

    @property
    def required_database_url(self) -> str:
        """The URL of the database, or `file:///path` of a file that holds it.

        Raises:
            SettingsError: The environment names none, and no embedded one runs; or it names two.
        """
        if self.database_url is None:
            raise SettingsError(
                f"no database: set {DATABASE_URL}, or start an embedded one with"
                " `batching-demo dev up`"
            )
        if len(self.database_origins) > 1:
            raise SettingsError(f"{' and '.join(self.database_origins)} are both set: unset one")
        return self.database_url


def read_pooler(text: str) -> Pooler:
    """Read what is known of a pooler.

    Raises:
        SettingsError: It is none of the words for that.
    """
    for pooler in POOLERS:
        if text == pooler:
            return pooler
    raise SettingsError(f"{POOLER} is not {' or '.join(POOLERS)}")


def find_state_directory(environ: Mapping[str, str]) -> Path | None:
    """Choose the state directory: below XDG_STATE_HOME, or where it is usual for this user.

    It is None for a user without a home directory.
    """
    if state_home := environ.get("XDG_STATE_HOME"):
        return Path(state_home) / "batching-demo"
    if os.geteuid() == 0:
        return Path("/var/lib/batching-demo")
    home = find_home(environ)
    return home / ".local" / "state" / "batching-demo" if home else None


def find_home(environ: Mapping[str, str]) -> Path | None:
    """Find the home directory of this user; an identity of a container may have none."""
    if home := environ.get("HOME"):
        return Path(home)
    import pwd  # Windows has none, and says so later.

    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return None
