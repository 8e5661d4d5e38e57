"""What the embedded servers have in common, each in a directory of its own.

A server is independent of the process that started it. It is found again by its command line.
"""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

import psutil

from batching_demo.devstack.errors import DevStackError
from batching_demo.devstack.files import make_directory
from batching_demo.devstack.launch import Log, wait_until
from batching_demo.devstack.ports import is_free
from batching_demo.devstack.processes import find_servers


class EmbeddedServer(ABC):
    """A server on 127.0.0.1.

    Args:
        directory: Holds its data and its log.
    """

    name: ClassVar[str]

    def __init__(self, directory: Path) -> None:
        self.directory = directory.resolve()
        self._log = self.directory / "log"

    @property
    @abstractmethod
    def ports(self) -> tuple[int, ...]:
        """The ports that it listens on."""

    @property
    def is_running(self) -> bool:
        """Whether the process of the server is there."""
        return self.process() is not None

    def process(self) -> psutil.Process | None:
        """Return the process of the server; None if it does not run."""
        return next(iter(find_servers(self._data)), None)

    def start(self) -> None:
        """Start the server unless it runs, and wait until it is ready."""
        make_directory(self.directory)
        log = Log(self._log)
        process = self.process()
        pid = process.pid if process else self._launch_on_free_ports(log)
        wait_until(self._is_ready, pid, self.name, log)

    @abstractmethod
    def stop(self) -> None:
        """Stop the server; its data stays."""

    def _launch_on_free_ports(self, log: Log) -> int:
        for port in self.ports:
            if not is_free(port):
                raise DevStackError(f"port {port} for {self.name} is taken by another program")
        return self._launch(log)

    @property
    @abstractmethod
    def _data(self) -> Path:
        """The file or directory that is named by its command line alone."""

    @abstractmethod
    def _launch(self, log: Log) -> int:
        """Start the server, and return its process id."""

    @abstractmethod
    def _is_ready(self) -> bool:
        """Return whether it answers."""
