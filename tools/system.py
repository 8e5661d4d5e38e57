"""Servers and workers in a directory of their own, each a process that can be killed."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from batching_demo.devstack.ports import find_free_port
from batching_demo.devstack.postgres import PostgresServer
from batching_demo.devstack.processes import is_alive, stop_processes
from batching_demo.devstack.temporal_server import TemporalServer
from batching_demo.devstack.valkey import ValkeyServer
from batching_demo.devstack.workers import SERVICES, STOP, start_worker
from batching_demo.settings import QUEUE_URL


@dataclass
class System:
    """Postgres, Temporal, maybe Valkey, and a worker of each service, in one directory."""

    directory: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    """More environment variables of the workers."""
    postgres: PostgresServer = field(init=False)
    temporal: TemporalServer = field(init=False)
    queue: bool = False
    """Whether Valkey runs too, and the workers use it."""
    valkey: ValkeyServer = field(init=False)
    batcher_workers: int = 1
    workers: dict[str, psutil.Process] = field(default_factory=dict)
    """By name: main, batcher, then batcher 2, batcher 3 ..."""
    died_by_themselves: int = 0

    def __post_init__(self) -> None:
        self.postgres = PostgresServer(self.directory / "postgres", find_free_port())
        self.temporal = TemporalServer(
            self.directory / "temporal", find_free_port(), find_free_port()
        )
        self.valkey = ValkeyServer(self.directory / "valkey", find_free_port())

    def start_servers(self) -> None:
        """Start the servers that do not run."""
        self.postgres.initialise()
        self.postgres.start()
        self.temporal.start()
        if self.queue:
            self.valkey.start()

    def start_workers(self) -> None:
        """Start the workers that do not run, as a supervisor would."""
        more = [f"batcher {number + 2}" for number in range(self.batcher_workers - 1)]
        for name in (*SERVICES, *more):
            if name in self.workers:
                if is_alive(self.workers[name].pid):
                    continue
                self.workers[name].wait()
                self.died_by_themselves += 1
            service = name.split()[0]
            started = start_worker(self.directory, service, self.environment())
            self.workers[name] = started.process

    def kill_worker(self, service: str) -> None:
        """Kill a worker with -9, and start it again."""
        process = self.workers.pop(service)
        process.kill()
        process.wait()
        self.start_workers()

    def stop_workers(self) -> None:
        """Let the workers finish what runs, then end them.

        They hand over their workflows. Those of a killed worker wait 10 s for the next one.
        """
        stop_processes(list(self.workers.values()), STOP)
        self.workers.clear()

    def stop(self) -> None:
        """Kill everything."""
        for process in self.workers.values():
            if is_alive(process.pid):
                process.kill()
            process.wait()
        self.temporal.stop()
        self.valkey.kill()
        self.postgres.stop("immediate")

    def environment(self) -> dict[str, str]:
        """Return the environment of the workers, and of commands beside them."""
        return {
            **os.environ,
            "DATABASE_URL": self.postgres.url,
            "TEMPORAL_ADDRESS": self.temporal.address,
            "TEMPORAL_NAMESPACE": "default",
            "XDG_STATE_HOME": str(self.directory),
            QUEUE_URL: self.valkey.url if self.queue else "",
            **self.settings,
        }


@contextmanager
def system_directory(name: str) -> Iterator[Path]:
    """Make a directory that Postgres may enter as another user; remove it at the end."""
    directory = Path(tempfile.mkdtemp(prefix=f"batching-demo-{name}-"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
