"""Read a database URL, and libpq's variables where the URL says nothing."""

import getpass
import os
import re
from collections.abc import Mapping
from pathlib import Path

from batching_demo.database.connection import vocabulary
from batching_demo.database.connection.hosts import read_hosts
from batching_demo.database.connection.options import read_options
from batching_demo.database.connection.parameters import (
    CONNECT_TIMEOUT_SECONDS,
    ConnectionParameters,
    Said,
)
from batching_demo.database.connection.passwords import default_password_file
from batching_demo.database.connection.url import split_url
from batching_demo.secret_files import read_secret_file
from batching_demo.settings import (
    DATABASE_URL,
    DATABASE_URL_FILE,
    EMBEDDED,
    FILE_SCHEME,
    Settings,
    SettingsError,
)

NUMBER = re.compile(r"-?[0-9]{1,9}")


def describe_database(settings: Settings) -> str:
    """Name the database, and what says that it is this one; without the password.

    Raises:
        SettingsError: No database is named, or its URL is wrong.
    """
    parameters = read_parameters(settings.required_database_url)
    if settings.database_origins == (EMBEDDED,):
        return f"{parameters.describe()}, {EMBEDDED}"
    said = parameters.said
    variables = dict.fromkeys([said.origin_of_url, *map(said.origin, ("host", "port", "dbname"))])
    return f"{parameters.describe()} from {' and '.join(variables)}"


def read_parameters(text: str, environ: Mapping[str, str] | None = None) -> ConnectionParameters:
    """Read a URL, and libpq's variables where the URL says nothing.

    Args:
        text: The URL, or `file:///path` of a file that holds it.
        environ: Environment variables; those of this process by default.

    Raises:
        SettingsError: It is no URL of a Postgres database, it is ambiguous, or a parameter cannot
            be kept. The message holds no value of any parameter.
    """
    said = _read(text, os.environ if environ is None else environ)
    _check(said)
    values, settings = said.values, _settings(said)
    user = values.get("user") or _own_name(said)
    password_file = values.get("passfile")
    at_start = ("application_name", "options")
    return ConnectionParameters(
        hosts=read_hosts(values.get("host"), values.get("port"), said.label("port")),
        user=user,
        database=values.get("dbname", user),
        password=values.get("password"),
        password_file=Path(password_file) if password_file else default_password_file(),
        connect_timeout=max(0, int(values.get("connect_timeout", 0))) or CONNECT_TIMEOUT_SECONDS,
        server_settings={name: settings[name] for name in settings if name not in at_start},
        start_settings={name: settings[name] for name in settings if name in at_start},
        said=said,
    )


def _read(text: str, environ: Mapping[str, str]) -> Said:
    url, origin = _read_url(text)
    values = split_url(url, origin)
    variables = {
        name: variable
        for name, variable in vocabulary.VARIABLES.items()
        if name not in values and environ.get(variable)
    }
    values |= {name: environ[variable] for name, variable in variables.items()}
    return Said(values, variables, origin)


def _read_url(text: str) -> tuple[str, str]:
    """Return the URL itself, and the variable that it comes from."""
    if not text.startswith(FILE_SCHEME):
        return text, DATABASE_URL
    path = text.removeprefix(FILE_SCHEME)
    return read_secret_file(DATABASE_URL_FILE, path), DATABASE_URL_FILE


def _own_name(said: Said) -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise SettingsError(
            f"{said.origin_of_url} names no user, and this process has none: write user:password@"
        ) from None


def _settings(said: Said) -> dict[str, str]:
    settings = read_options(said.values.get("options", ""))
    for name, reason in vocabulary.FIXED_SETTINGS.items():
        if name in settings:
            raise SettingsError(f"{said.label('options')} sets {name}: remove it, {reason}")
    if "application_name" in said.values:
        settings["application_name"] = said.values["application_name"]
    return settings


def _check(said: Said) -> None:
    """Refuse values that mean nothing, or that the driver cannot keep."""
    for name, value in said.values.items():
        if name not in vocabulary.KNOWN:
            advice = vocabulary.ADVICE.get(name, "remove it")
            raise SettingsError(f"{said.label(name)} is not supported: {advice}")
        allowed = vocabulary.CHOICES.get(name)
        if allowed is not None and value not in allowed:
            advice = f": {vocabulary.ADVICE[name]}" if name in vocabulary.ADVICE else ""
            raise SettingsError(f"{said.label(name)} can only be {' or '.join(allowed)}{advice}")
        if name in vocabulary.NUMBERS and not NUMBER.fullmatch(value):
            raise SettingsError(f"{said.label(name)} is not a number")
    full = vocabulary.TLS_MODES[-1]
    if said.values.get("sslrootcert") == "system" and said.values.get("sslmode", full) != full:
        raise SettingsError(f"{said.label('sslrootcert')} is system: write sslmode={full} with it")
