"""Open connections: to the first host that serves, with the password of this moment."""

import errno
import random
import socket
from collections.abc import Iterator, Mapping
from typing import Any

import asyncpg
from asyncpg import (
    CannotConnectNowError,
    ClientConfigurationError,
    Connection,
    ConnectionDoesNotExistError,
    PostgresError,
    TargetServerAttributeNotMatched,
)
from asyncpg.connect_utils import SessionAttribute

from batching_demo.database.connection.failures import explain, no_host
from batching_demo.database.connection.hosts import Host
from batching_demo.database.connection.parameters import ConnectionParameters
from batching_demo.database.connection.passwords import find_password
from batching_demo.database.connection.reading import read_parameters
from batching_demo.database.connection.tls import check_files, driver_url, system_context
from batching_demo.database.errors import DatabaseFailedError, Failure, FailureKind
from batching_demo.settings import FILE_SCHEME, SettingsError

NO_ANSWER = (OSError, CannotConnectNowError, ConnectionDoesNotExistError)
NEXT_HOST = (*NO_ANSWER, TargetServerAttributeNotMatched)
"""Errors after which libpq tries the next host."""
SOCKET_OPTIONS = {
    "keepalives_idle": "TCP_KEEPIDLE",
    "keepalives_interval": "TCP_KEEPINTVL",
    "keepalives_count": "TCP_KEEPCNT",
    "tcp_user_timeout": "TCP_USER_TIMEOUT",
}
"""libpq's names, and the system's; a system may lack some."""


class DatabaseSource:
    """The database that a URL names, and how connections to it are opened.

    Args:
        text: A URL, or `file:///path` of a file that holds one and is read for each connection.
        environ: Environment variables; those of this process by default.

    Raises:
        SettingsError: The URL is wrong.
    """

    def __init__(self, text: str, environ: Mapping[str, str] | None = None) -> None:
        self._text = text
        self._environ = environ
        self.parameters = read_parameters(text, environ)
        """What the URL said when it was read last."""

    async def connect(self, **arguments: Any) -> "Connection[Any]":
        """Open a connection.

        Args:
            arguments: For asyncpg, without those that a URL gives.

        Raises:
            DatabaseFailedError: The URL or the server does not allow it.
            OSError: The only host does not answer.
            PostgresError: It refuses, and not because of the URL.
        """
        try:
            if self._text.startswith(FILE_SCHEME):
                self.parameters = read_parameters(self._text, self._environ)
            check_files(self.parameters)
        except SettingsError as error:
            raise DatabaseFailedError(Failure(FailureKind.OPERATOR, str(error))) from None
        return await _connect(self.parameters, arguments)


async def _connect(
    parameters: ConnectionParameters, arguments: Mapping[str, Any]
) -> "Connection[Any]":
    """Connect to the first host that serves."""
    failed: list[tuple[Host, BaseException]] = []
    for host, wanted in _candidates(parameters):
        try:
            return await _connect_to(host, wanted, parameters, arguments)
        except NEXT_HOST as error:
            failed.append((host, error))
        except (PostgresError, ClientConfigurationError) as error:
            if failure := explain(parameters, host, error):
                raise DatabaseFailedError(failure) from None
            raise
    first = failed[0][1]
    if len(failed) == 1 and isinstance(first, NO_ANSWER) and not explain(parameters, *failed[0]):
        raise first
    raise DatabaseFailedError(no_host(parameters, failed)) from None


def _candidates(parameters: ConnectionParameters) -> Iterator[tuple[Host, str]]:
    """Return the hosts to try, each with the attributes that it must have."""
    hosts = list(parameters.hosts)
    if parameters.choice("load_balance_hosts", "disable") == "random":
        random.shuffle(hosts)
    wanted = parameters.choice("target_session_attrs", "any")
    passes = ("standby", "any") if wanted == "prefer-standby" else (wanted,)
    return ((host, attributes) for attributes in passes for host in hosts)


async def _connect_to(
    host: Host, wanted: str, parameters: ConnectionParameters, arguments: Mapping[str, Any]
) -> "Connection[Any]":
    # Nothing is left to asyncpg to look up, so that all commands see the same.
    password = parameters.password
    if password is None and parameters.password_file is not None:
        password = find_password(
            parameters.password_file, host, parameters.database, parameters.user
        )
    connection: Connection[Any] = await asyncpg.connect(
        driver_url(parameters),
        host=host.name,
        port=host.port,
        user=parameters.user,
        password=password or "",
        database=parameters.database,
        timeout=parameters.connect_timeout,
        ssl=system_context(parameters),
        target_session_attrs=SessionAttribute(wanted),
        **arguments,
    )
    try:
        _keep_alive(connection, parameters)
    except BaseException:
        # Nobody else knows it yet.
        connection.terminate()
        raise
    return connection


def _keep_alive(connection: "Connection[Any]", parameters: ConnectionParameters) -> None:
    """Have the system ask now and then whether the peer still lives, as libpq does."""
    # asyncpg offers no other way to the socket.
    connected = connection._transport.get_extra_info("socket")  # type: ignore[attr-defined]
    if connected.family == socket.AF_UNIX:
        return
    numbers = parameters.numbers("keepalives", *SOCKET_OPTIONS)
    if numbers.pop("keepalives", 1):
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, number in numbers.items():
        option = getattr(socket, SOCKET_OPTIONS[name], None)
        if option is not None and number > 0:
            _set_option(connected, option, number, parameters.said.label(name))


def _set_option(connected: socket.socket, option: int, number: int, label: str) -> None:
    try:
        connected.setsockopt(socket.IPPROTO_TCP, option, number)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        reason = f"{label} is more than this system takes: write a smaller number"
        raise DatabaseFailedError(Failure(FailureKind.OPERATOR, reason)) from None
