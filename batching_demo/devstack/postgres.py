"""A real Postgres in a directory of its own, independent of the process that started it.

It is started and stopped without pg_ctl, which believes the lock file: after kill -9 it takes a
zombie, or another program with the same process id, for the server, and starts none. Looking the
process up finds the right one, and serves Temporal's server too.
"""

import os
import pwd
import secrets
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from batching_demo.devstack.account import barrier, server_account
from batching_demo.devstack.errors import DevStackError
from batching_demo.devstack.files import let_through, make_directory, write_atomically
from batching_demo.devstack.installation import POSTGRES_VERSION, postgres_for
from batching_demo.devstack.launch import Log, launch, run_to_end
from batching_demo.devstack.ports import HOST
from batching_demo.devstack.processes import (
    find_orphans,
    find_servers,
    option_of,
    stop_processes,
)
from batching_demo.devstack.server import EmbeddedServer

USER = "postgres"
DATABASE = "batching_demo"

StopMode = Literal["fast", "immediate"]

STOPS: dict[StopMode, list[tuple[signal.Signals, float]]] = {
    "fast": [(signal.SIGINT, 20.0), (signal.SIGQUIT, 10.0)],
    "immediate": [(signal.SIGQUIT, 10.0)],
}


class PostgresServer(EmbeddedServer):
    """A Postgres server on 127.0.0.1.

    Args:
        directory: Holds the cluster, its password and its log. If this runs as root, every user
            must be able to enter the directories above it.
        port: The port to listen on.
    """

    name = "Postgres"

    # The builtin locale is the same on every machine.
    _locale: Sequence[str] = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")

    def __init__(self, directory: Path, port: int) -> None:
        super().__init__(directory)
        self.port = port
        self._cluster = self.directory / str(POSTGRES_VERSION)
        self._lock = self._cluster / "postmaster.pid"
        self._password = self.directory / "password"

    def __str__(self) -> str:
        return f"Postgres on port {self.port}, data in {self.directory}"

    @classmethod
    def find_running(cls, directory: Path) -> "PostgresServer | None":
        """Find the server of a directory, whoever started it."""
        process = cls(directory, 0).process()
        return cls(directory, int(option_of(process, "-p"))) if process else None

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports that it listens on."""
        return (self.port,)

    @property
    def address(self) -> str:
        """The host and port that it listens on."""
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        """The URL of the project's database, with the password."""
        return f"postgresql://{USER}:{self._password.read_text()}@{self.address}/{DATABASE}"

    def initialise(self) -> None:
        """Create the cluster and its database, unless they exist."""
        if self._cluster.exists():
            return
        account = server_account()
        self._prepare_directory(account)
        programs = self._programs(account)
        partial = self._cluster.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        log = Log(self._log)
        run_to_end([programs / "initdb", *self._initdb_options(partial)], log, account)
        single = ["--single", "-D", str(partial), "-c", "exit_on_error=on", "postgres"]
        run_to_end([programs / "postgres", *single], log, account, f"CREATE DATABASE {DATABASE}")
        partial.rename(self._cluster)

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop the server: fast rolls back and writes everything out, immediate is a crash."""
        stop_processes(find_servers(self._cluster), *STOPS[mode])
        self._remove_leftovers()

    def pause(self) -> None:
        """Stop every process of the server where it is; its connections stay open."""
        if process := self.process():
            # The first one alone starts others.
            process.suspend()
            for child in process.children():
                child.suspend()

    def resume(self) -> None:
        """Let a paused server go on."""
        if process := self.process():
            for each in (*process.children(), process):
                each.resume()

    @property
    def _data(self) -> Path:
        return self._cluster

    def _programs(self, account: pwd.struct_passwd | None) -> Path:
        return postgres_for(account, self.directory)

    def _launch(self, log: Log) -> int:
        self._remove_leftovers()
        account = server_account()
        programs = self._programs(account)
        address = ["-h", HOST, "-p", str(self.port), "-k", ""]
        return launch([programs / "postgres", "-D", self._cluster, *address], log, account)

    def _remove_leftovers(self) -> None:
        # Postgres itself only asks whether the process id of the killed server is in use. It is, by
        # a zombie, or after a restart of the machine by any other program.
        stop_processes(find_orphans(self._cluster), (signal.SIGQUIT, 5.0))
        self._lock.unlink(missing_ok=True)

    def _is_ready(self) -> bool:
        try:
            lines = self._lock.read_text().split()
        except FileNotFoundError:
            return False
        if lines[-1:] != ["ready"]:
            return False
        # A killed server leaves its file behind, which says ready too.
        process = self.process()
        return process is not None and lines[0] == str(process.pid)

    def _prepare_directory(self, account: pwd.struct_passwd | None) -> None:
        make_directory(self.directory)
        write_atomically(self._password, secrets.token_urlsafe(24))
        if account is None:
            return
        let_through(self.directory)
        if closed := barrier(self.directory):
            raise DevStackError(
                f"Postgres runs as user {account.pw_name}, who may not enter {closed}:"
                f" `chmod o+x {closed}` lets that user through, or choose another place with"
                " XDG_STATE_HOME"
            )
        for path in (self.directory, self._password):
            os.chown(path, account.pw_uid, account.pw_gid)

    def _initdb_options(self, cluster: Path) -> list[str]:
        login = [f"--username={USER}", f"--pwfile={self._password}", "--auth=scram-sha-256"]
        return ["-D", str(cluster), "--encoding=UTF8", "--no-instructions", *self._locale, *login]
