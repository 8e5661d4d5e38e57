"""PgBouncer in front of a server of the devstack, for tests and measurements."""

import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from sqlalchemy import make_url

from batching_demo.devstack.account import server_account
from batching_demo.devstack.launch import Log, launch, wait_until
from batching_demo.devstack.ports import HOST, find_free_port
from batching_demo.devstack.postgres import PostgresServer
from batching_demo.devstack.processes import stop_processes

PROGRAM = Path("/usr/sbin/pgbouncer")
"""Debian's."""
USERS = "users"


@contextmanager
def running_pgbouncer(
    server: PostgresServer,
    directory: Path,
    mode: str = "transaction",
    logins: Mapping[str, str] | None = None,
    **settings: str,
) -> Iterator[int]:
    """Run a PgBouncer with two connections a database, and return its port.

    Args:
        server: Its own user may log in.
        directory: Gets configuration and log. Every user may enter it.
        mode: Session or transaction.
        logins: Others that may, with their passwords.
        settings: Further ones of PgBouncer, for Debian's defaults otherwise.
    """
    port = find_free_port()
    account = make_url(server.url)
    _write_users(directory, {str(account.username): str(account.password), **(logins or {})})
    configuration = _configure(
        directory, server, {"listen_port": str(port), "pool_mode": mode, **settings}
    )
    log = Log(directory / "pgbouncer.log")
    pid = launch([PROGRAM, configuration], log, server_account())
    try:
        wait_until(lambda: _listens(port), pid, "PgBouncer", log)
        yield port
    finally:
        with suppress(psutil.NoSuchProcess):
            stop_processes([psutil.Process(pid)], (signal.SIGTERM, 5.0))


def through(port: int, url: str) -> str:
    """Return a URL with the port of a pooler."""
    return make_url(url).set(port=port).render_as_string(hide_password=False)


def _write_users(directory: Path, logins: Mapping[str, str]) -> None:
    lines = [f'"{user}" "{password}"\n' for user, password in logins.items()]
    (directory / USERS).write_text("".join(lines))


def _configure(directory: Path, server: PostgresServer, settings: dict[str, str]) -> Path:
    settings = {
        "listen_addr": HOST,
        "unix_socket_dir": "",
        "auth_type": "scram-sha-256",
        "auth_file": str(directory / USERS),
        "default_pool_size": "2",
        # Tests have many databases, and each has connections of its own.
        "server_idle_timeout": "2",
        # After an outage; in tests that is short.
        "server_login_retry": "1",
        **settings,
    }
    configuration = directory / "pgbouncer.ini"
    lines = ["[databases]", f"* = host={HOST} port={server.port}", "[pgbouncer]"]
    lines += [f"{name} = {value}" for name, value in settings.items()]
    configuration.write_text("\n".join(lines) + "\n")
    return configuration


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
