"""A real Temporal dev server with its Web UI, independent of the process that started it."""

import signal
import subprocess
from pathlib import Path

from batching_demo.devstack.installation import find_temporal
from batching_demo.devstack.launch import Log, launch, server_environment
from batching_demo.devstack.ports import HOST, is_free
from batching_demo.devstack.processes import find_servers, option_of, stop_processes
from batching_demo.devstack.server import EmbeddedServer
from batching_demo.temporal.search_attributes import KEYS

# Three times as many workflows a second as with the defaults of SQLite. They are as safe from
# kill -9; only a power cut may lose the last moments.
SQLITE = ["--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL"]

REGISTER = [
    part
    for key in KEYS
    for part in ("--name", key.name, "--type", key.indexed_value_type.name.title())
]


class TemporalServer(EmbeddedServer):
    """A Temporal dev server on 127.0.0.1 that keeps its workflows in a file.

    Args:
        directory: Holds its database and its log.
        port: The port of its gRPC service.
        ui_port: The port of its Web UI.
    """

    name = "Temporal"

    def __init__(self, directory: Path, port: int, ui_port: int) -> None:
        super().__init__(directory)
        self.port = port
        self.ui_port = ui_port
        self._database = self.directory / "temporal.db"

    def __str__(self) -> str:
        return f"Temporal on port {self.port}, Web UI on port {self.ui_port}"

    @classmethod
    def find_running(cls, directory: Path) -> "TemporalServer | None":
        """Find the server of a directory, whoever started it."""
        process = cls(directory, 0, 0).process()
        if process is None:
            return None
        return cls(
            directory, int(option_of(process, "--port")), int(option_of(process, "--ui-port"))
        )

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports that it listens on."""
        return (self.port, self.ui_port)

    @property
    def address(self) -> str:
        """The host and port for clients and workers."""
        return f"{HOST}:{self.port}"

    @property
    def ui_url(self) -> str:
        """The address of the Web UI for a browser."""
        return f"http://{HOST}:{self.ui_port}"

    def start(self) -> None:
        """Start the server unless it runs, and wait until its default namespace answers."""
        super().start()
        # The server's own option registers nothing in a database that it has opened before.
        self._operator("search-attribute", "create", *REGISTER)

    def stop(self) -> None:
        """Stop the server; its workflows stay on disk."""
        # What it has acknowledged is in its file. It would spend five seconds on telling other
        # hosts, which a dev server does not have.
        stop_processes(find_servers(self._database), (signal.SIGTERM, 0.5))

    @property
    def _data(self) -> Path:
        return self._database

    def _launch(self, log: Log) -> int:
        addresses = ["--ip", HOST, "--port", str(self.port), "--ui-port", str(self.ui_port)]
        command = [find_temporal(), "server", "start-dev", "--db-filename", str(self._database)]
        return launch([*command, *addresses, *SQLITE, "--log-level", "error"], log)

    def _is_ready(self) -> bool:
        # The program that asks is large; before the server listens, it need not start.
        is_listening = not is_free(self.port)
        return is_listening and self._operator("namespace", "describe", "--namespace", "default")

    def _operator(self, *arguments: str) -> bool:
        """Run an operator command of the Temporal CLI, and return whether it succeeded."""
        answer = subprocess.run(
            [find_temporal(), "operator", *arguments, "--address", self.address],
            check=False,
            capture_output=True,
            env=server_environment(self.directory),
        )
        return answer.returncode == 0
