"""Which Temporal server is used, and what decided that.

Temporal's own configuration decides: its variables and its file, as temporalio.envconfig reads
them. An embedded server that runs is more to the point than a file that serves every program on the
machine, so such a file decides only if a variable names it or one of its profiles.
"""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from batching_demo.secret_files import find_secret
from batching_demo.settings import Settings, SettingsError, find_home
from batching_demo.temporal.security import API_KEY, Security, read_security

if TYPE_CHECKING:
    from temporalio.envconfig import ClientConfigProfile, ClientConnectConfig

ADDRESS, NAMESPACE = "TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE"
CONFIG_FILE, PROFILE = "TEMPORAL_CONFIG_FILE", "TEMPORAL_PROFILE"
NAMING = (ADDRESS, PROFILE, CONFIG_FILE)
"""The variables that name a server, each in its way."""
EMBEDDED, BY_DEFAULT = "the embedded Temporal", "the default"
DEFAULT_ADDRESS, DEFAULT_NAMESPACE, DEFAULT_PROFILE = "localhost:7233", "default", "default"
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+):(\d{1,5})", re.ASCII)
_PLACE = re.compile(r"line (\d+), column (\d+)")


@dataclass(frozen=True)
class TemporalTarget:
    """A server and a namespace, and what decided each."""

    address: str
    address_from: str
    namespace: str
    namespace_from: str
    security: Security
    config: "ClientConnectConfig"
    """For `Client.connect`."""

    @property
    def is_named(self) -> bool:
        """Whether a variable or the configuration file names the server."""
        return not self.address_from.startswith((EMBEDDED, BY_DEFAULT))

    def __str__(self) -> str:
        parts = [
            _part(self.address, self.address_from),
            _part(f"namespace {self.namespace}", self.namespace_from),
            *([_part("TLS", self.security.tls)] if self.security.tls else []),
        ]
        return ", ".join(parts)


def _part(what: str, origin: str) -> str:
    if origin.startswith((EMBEDDED, BY_DEFAULT)):
        return f"{what}, {origin}"
    return f"{what} from {origin}" if origin else what


def choose_temporal(settings: Settings, environ: Mapping[str, str] = os.environ) -> TemporalTarget:
    """Choose the server and the namespace; an empty variable is as none.

    Raises:
        SettingsError: A variable, the file of the API key or the configuration file is wrong.
    """
    variables = _variables(environ)
    file = _file(variables)
    named = [name for name in NAMING if name in variables]
    embedded = settings.devstack.temporal_address if settings.devstack else None
    passed_over = embedded is not None and not named and file is not None
    read = None if passed_over else file
    in_file = _load(read, _profile_only(variables), file)
    profile = _load(read, variables, file)
    origin = f"profile {variables.get(PROFILE, DEFAULT_PROFILE)} of {file}"
    address_from = ADDRESS if ADDRESS in variables else origin
    address = profile.address
    if not address:
        unused = f", not {file}" if passed_over else ""
        address_from = f"{EMBEDDED}{unused}" if embedded else BY_DEFAULT
        address = embedded or DEFAULT_ADDRESS
    namespace_from = NAMESPACE if NAMESPACE in variables else origin if in_file.namespace else ""
    security = read_security(profile, variables, origin)
    config = _connect_config(profile, variables, origin)
    config["target_host"] = _checked(address.strip(), address_from)
    return TemporalTarget(
        address=config["target_host"],
        address_from=address_from,
        namespace=config["namespace"],
        namespace_from=namespace_from,
        security=security,
        config=config,
    )


def _variables(environ: Mapping[str, str]) -> dict[str, str]:
    found = {name: value for name, value in environ.items() if name.startswith("TEMPORAL_")}
    found[API_KEY] = find_secret(environ, API_KEY)
    for name, value in found.items():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise SettingsError(f"{name} is not in UTF-8: correct it") from None
    return {name: value for name, value in found.items() if value}


def config_file(environ: Mapping[str, str]) -> Path | None:
    """Return where Temporal's configuration file is, if it exists; None without a home."""
    if named := environ.get(CONFIG_FILE):
        return Path(named)
    directory = _config_directory(environ)
    return directory / "temporalio" / "temporal.toml" if directory else None


def _config_directory(environ: Mapping[str, str]) -> Path | None:
    """Return the directory in which every Temporal program looks for its file."""
    configured = Path(environ.get("XDG_CONFIG_HOME", ""))
    if sys.platform != "darwin" and configured.is_absolute():
        return configured
    home = find_home(environ)
    if home is None:
        return None
    return home / ("Library/Application Support" if sys.platform == "darwin" else ".config")


def _file(variables: Mapping[str, str]) -> Path | None:
    """Find the configuration file; the SDK ignores one that is named and does not exist."""
    file = config_file({**os.environ, **variables})
    if file is None and PROFILE in variables:
        raise SettingsError(f"{PROFILE} needs a configuration file: name it with {CONFIG_FILE}")
    if file is None or os.path.exists(file):  # unlike that of Path, it raises nothing
        return file
    if CONFIG_FILE in variables:
        raise SettingsError(f"{CONFIG_FILE} names {file}, which does not exist: correct it")
    if PROFILE in variables:
        raise SettingsError(f"{PROFILE} names a profile of {file}, which does not exist: unset it")
    return None


def _profile_only(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name == PROFILE}


def _load(
    source: Path | None, variables: Mapping[str, str], file: Path | None
) -> "ClientConfigProfile":
    # The SDK takes a quarter of a second to load, and not every command needs it.
    from temporalio.envconfig import ClientConfigProfile

    try:
        return ClientConfigProfile.load(
            config_source=source, disable_file=source is None, override_env_vars=variables
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise SettingsError(_one_line(str(error), variables, file)) from None


def _one_line(message: str, variables: Mapping[str, str], file: Path | None) -> str:
    """Name the file and the place in it; the SDK quotes the line, which may hold a secret."""
    if "not found" in message and PROFILE in variables:
        return f"{PROFILE} names {variables[PROFILE]!r}, which is not in {file}: correct it"
    reason = message.strip().splitlines()[-1].removeprefix("Configuration loading error: ")
    place = _PLACE.search(message)
    if place is None and "Configuration loading error" not in message:
        return f"Temporal's client configuration: {reason}"
    line = f", line {place[1]}, column {place[2]}" if place else ""
    return f"Temporal's configuration file {file}{line}: {reason}: correct it"


def _connect_config(
    profile: "ClientConfigProfile", variables: Mapping[str, str], origin: str
) -> "ClientConnectConfig":
    """Read the files of certificates and keys too."""
    try:
        config = profile.to_client_connect_config()
    except OSError as error:
        file = str(error.filename)
        named_by = (name for name, value in variables.items() if str(Path(value)) == file)
        where = next(named_by, origin)
        raise SettingsError(f"{where}: {file} cannot be read: {error.strerror}") from None
    config["namespace"] = profile.namespace or DEFAULT_NAMESPACE
    return config


def _checked(address: str, origin: str) -> str:
    """Check an address, because the SDK takes port 80 for a missing one, and drops what follows."""
    found = _ADDRESS.fullmatch(address)
    if found and 1 <= int(found[2]) <= 65_535:
        return address
    shown = "" if "@" in address else f"{address!r} "
    raise SettingsError(
        f"{origin} names {shown}as the address of Temporal: write HOST:PORT, such as"
        f" {DEFAULT_ADDRESS}"
    )
