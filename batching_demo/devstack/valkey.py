"""A real Valkey server, which speaks the protocol of Redis, in a directory of its own."""

import signal
import socket
from collections.abc import Sequence
from pathlib import Path

from batching_demo.devstack.installation import find_valkey
from batching_demo.devstack.launch import Log, launch
from batching_demo.devstack.ports import HOST
from batching_demo.devstack.processes import find_servers, option_of, stop_processes
from batching_demo.devstack.server import EmbeddedServer

ANSWER_SECONDS = 2.0
# Every command is in the file before it is answered, and nothing is evicted: a queue must not
# forget. The title would hide the command line, by which others find the server.
OPTIONS = ["--appendonly", "yes", "--maxmemory-policy", "noeviction", "--set-proc-title", "no"]
NO_SNAPSHOTS = ["--save", ""]


class ValkeyServer(EmbeddedServer):
    """A Valkey server on 127.0.0.1 that keeps its data in an append-only file.

    Args:
        directory: Holds its data and its log.
        port: The port to listen on.
        options: More options of its command line.
        program: Another server that speaks the same protocol.
    """

    name = "Valkey"

    def __init__(
        self,
        directory: Path,
        port: int,
        options: Sequence[str] = (),
        program: Path | None = None,
    ) -> None:
        super().__init__(directory)
        self.port = port
        self._options = options
        self._program = program

    def __str__(self) -> str:
        return f"Valkey on port {self.port}, data in {self.directory}"

    @classmethod
    def find_running(cls, directory: Path) -> "ValkeyServer | None":
        """Find the server of a directory, whoever started it."""
        process = cls(directory, 0).process()
        return cls(directory, int(option_of(process, "--port"))) if process else None

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports that it listens on."""
        return (self.port,)

    @property
    def url(self) -> str:
        """The URL of its first database."""
        return f"redis://{HOST}:{self.port}/0"

    def stop(self) -> None:
        """Stop the server; its data stays."""
        stop_processes(find_servers(self.directory), (signal.SIGTERM, 10.0))

    def kill(self) -> None:
        """Stop the server as a crash does."""
        stop_processes(find_servers(self.directory), (signal.SIGKILL, 10.0))

    @property
    def _data(self) -> Path:
        return self.directory

    def _launch(self, log: Log) -> int:
        place = ["--bind", HOST, "--port", str(self.port), "--dir", str(self.directory)]
        options = [*place, *OPTIONS, *NO_SNAPSHOTS, *self._options]
        return launch([self._program or find_valkey(), *options], log)

    def _is_ready(self) -> bool:
        """Return whether it answers. While it reads its data, it refuses everything."""
        try:
            with socket.create_connection((HOST, self.port), ANSWER_SECONDS) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(7) == b"+PONG\r\n"
        except OSError:
            return False
