"""The embedded servers and their workers, started and stopped together."""

import signal
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from batching_demo.devstack.errors import DevStackError
from batching_demo.devstack.files import exclusively, write_atomically
from batching_demo.devstack.installation import find_postgres, find_temporal, find_valkey
from batching_demo.devstack.ports import choose_port, is_free
from batching_demo.devstack.postgres import PostgresServer
from batching_demo.devstack.processes import Worker, find_servers, registered, stop_processes
from batching_demo.devstack.server import EmbeddedServer
from batching_demo.devstack.temporal_server import TemporalServer
from batching_demo.devstack.valkey import ValkeyServer
from batching_demo.settings import DevStackAddresses

POSTGRES_PORT = 5432
TEMPORAL_PORT = 7233
UI_PORT = 8233
VALKEY_PORT = 6379

Report = Callable[[str], None]
Server = TypeVar("Server", bound=EmbeddedServer)


@dataclass(frozen=True)
class DevStackStatus:
    """What runs of a state directory."""

    postgres: PostgresServer | None
    temporal: TemporalServer | None
    valkey: ValkeyServer | None
    workers: list[Worker]

    @property
    def is_running(self) -> bool:
        """Whether Postgres and Temporal are there. Valkey is there only if it is asked for."""
        return self.postgres is not None and self.temporal is not None


def up(state_directory: Path, report: Report, *, queue: bool = False) -> DevStackAddresses:
    """Start the servers that do not run yet, and write their addresses into the state directory.

    Args:
        state_directory: Holds the data of the servers.
        report: Gets lines about the progress.
        queue: Starts Valkey too.

    Raises:
        DevStackError: A server does not start; this call has then stopped what it started.
    """
    find_postgres()
    find_temporal()
    if queue:
        find_valkey()
    with exclusively(state_directory, report), ExitStack() as undo:
        postgres = _postgres_up(state_directory, report, undo)
        temporal = _temporal_up(state_directory, report, undo)
        valkey = _valkey_up(state_directory, report, undo, queue=queue)
        addresses = DevStackAddresses(
            # It cannot encrypt, whatever PGSSLMODE asks for.
            database_url=f"{postgres.url}?sslmode=disable",
            temporal_address=temporal.address,
            ui_url=temporal.ui_url,
            queue_url=valkey.url if valkey else None,
        )
        path = DevStackAddresses.path(state_directory)
        write_atomically(path, addresses.model_dump_json(indent=2))
        undo.pop_all()
        return addresses


def status(state_directory: Path) -> DevStackStatus:
    """Find what runs, also without the file of addresses."""
    return DevStackStatus(
        PostgresServer.find_running(_postgres_directory(state_directory)),
        TemporalServer.find_running(_temporal_directory(state_directory)),
        ValkeyServer.find_running(_valkey_directory(state_directory)),
        registered(state_directory),
    )


def down(state_directory: Path, report: Report) -> None:
    """Stop the workers and servers of a state directory; their data stays.

    Raises:
        DevStackError: One of its processes belongs to another user.
    """
    if not state_directory.exists():
        return
    with exclusively(state_directory, report):
        _stop_workers(registered(state_directory), report)
        _stop_servers(state_directory, report)
        # Programs of a `dev up` that was killed.
        stop_processes(find_servers(state_directory.resolve()), (signal.SIGINT, 5.0))
        DevStackAddresses.path(state_directory).unlink(missing_ok=True)


def _postgres_up(state_directory: Path, report: Report, undo: ExitStack) -> PostgresServer:
    directory = _postgres_directory(state_directory)
    if running := PostgresServer.find_running(directory):
        running.start()
        return running
    new = PostgresServer(directory, POSTGRES_PORT)
    undo.callback(new.stop)
    new.initialise()
    before = DevStackAddresses.read(state_directory)
    port = _port_before(before.database_url if before else None) or POSTGRES_PORT
    return _start(lambda: PostgresServer(directory, choose_port(port)), report)


def _temporal_up(state_directory: Path, report: Report, undo: ExitStack) -> TemporalServer:
    directory = _temporal_directory(state_directory)
    if running := TemporalServer.find_running(directory):
        running.start()
        return running
    undo.callback(TemporalServer(directory, TEMPORAL_PORT, UI_PORT).stop)
    before = DevStackAddresses.read(state_directory)
    port = _port_before(f"//{before.temporal_address}" if before else None) or TEMPORAL_PORT
    ui_port = _port_before(before.ui_url if before else None) or UI_PORT
    return _start(
        lambda: TemporalServer(directory, choose_port(port), choose_port(ui_port)), report
    )


def _valkey_up(
    state_directory: Path, report: Report, undo: ExitStack, *, queue: bool
) -> ValkeyServer | None:
    """Start Valkey if it is asked for; return it if it runs."""
    directory = _valkey_directory(state_directory)
    if running := ValkeyServer.find_running(directory):
        running.start()
        return running
    if not queue:
        return None
    undo.callback(ValkeyServer(directory, VALKEY_PORT).stop)
    before = DevStackAddresses.read(state_directory)
    port = _port_before(before.queue_url if before else None) or VALKEY_PORT
    return _start(lambda: ValkeyServer(directory, choose_port(port)), report)


def _port_before(url: str | None) -> int | None:
    """Return the port that a server had before it died, where workers still try to reach it."""
    return urlsplit(url).port if url else None


def _start(make: Callable[[], Server], report: Report) -> Server:
    server = make()
    report(f"starting {server}")
    try:
        server.start()
    except DevStackError:
        if all(map(is_free, server.ports)):
            raise
        # Another program took a port after we had looked at it.
        server.stop()
        server = make()
        report(f"starting {server}")
        server.start()
    return server


def _stop_workers(workers: list[Worker], report: Report) -> None:
    for worker in workers:
        report(f"stopping {worker.name}")
    # SIGTERM lets a worker finish the write in flight.
    processes = [process for worker in workers if (process := worker.process())]
    stop_processes(processes, (signal.SIGTERM, 20.0))


def _stop_servers(state_directory: Path, report: Report) -> None:
    temporal = TemporalServer(_temporal_directory(state_directory), 0, 0)
    postgres = PostgresServer(_postgres_directory(state_directory), 0)
    valkey = ValkeyServer(_valkey_directory(state_directory), 0)
    servers: Sequence[EmbeddedServer] = (valkey, temporal, postgres)
    for server in servers:
        if server.is_running:
            report(f"stopping {server.name}")
        server.stop()


def _postgres_directory(state_directory: Path) -> Path:
    return state_directory / "postgres"


def _temporal_directory(state_directory: Path) -> Path:
    return state_directory / "temporal"


def _valkey_directory(state_directory: Path) -> Path:
    return state_directory / "valkey"
