"""Worker processes beside the embedded servers, each with a log in the state directory."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil

from batching_demo.contracts.limits import KIB
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.devstack.errors import DevStackError
from batching_demo.devstack.files import PRIVATE, disk_errors, make_directory
from batching_demo.devstack.launch import Log
from batching_demo.devstack.processes import is_alive, register, stop_processes

Result = TypeVar("Result")
SERVICES = ("main", "batcher")
MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(64 * KIB)}
"""Makes glibc return the memory of large payloads to the system; else it raises the threshold."""
STOP = (signal.SIGTERM, 20.0)
"""How a worker is stopped: it may finish what runs."""
LOOK_SECONDS = 0.2
FOR_EACH_WORKER_ITSELF = {
    # Two workers cannot serve their metrics at one address.
    "BATCHING_DEMO_METRICS_BIND": "",
    # A version gets no tasks before somebody has made it the current one.
    "BATCHING_DEMO_DEPLOYMENT_NAME": "",
    "BATCHING_DEMO_BUILD_ID": "",
}
"""Variables that workers of a demo are started without."""


@dataclass(frozen=True)
class StartedWorker:
    """A worker process, and its log."""

    name: str
    process: psutil.Popen
    log: Log

    def check(self) -> None:
        """Check that it runs.

        Raises:
            DevStackError: It has ended; the message quotes the end of its log.
        """
        if not is_alive(self.process.pid):
            code = self.process.wait()
            raise DevStackError(
                f"the {self.name} has ended with exit code {code}; the last lines of"
                f" {self.log.path}:{self.log.last_lines()}"
            )


def start_workers(
    state_directory: Path, environment: Mapping[str, str] = os.environ
) -> list[StartedWorker]:
    """Start a worker of each service; `dev down` stops them too, if nobody else does.

    Raises:
        DevStackError: The state directory cannot be used.
    """
    environment = {**environment, **FOR_EACH_WORKER_ITSELF}
    with disk_errors(state_directory):
        return [start_worker(state_directory, service, environment) for service in SERVICES]


def stop_workers(workers: Sequence[StartedWorker]) -> None:
    """Let workers finish what runs, then end them."""
    processes = [worker.process for worker in workers]
    stop_processes(processes, STOP)
    for process in processes:
        process.wait()  # Else it stays as a zombie for as long as its parent runs.


def start_worker(
    state_directory: Path, service: str, environment: Mapping[str, str] = os.environ
) -> StartedWorker:
    """Start a worker of one service.

    Args:
        state_directory: Gets its log, and registers it for `dev down`.
        service: main or batcher.
        environment: All variables that it gets.
    """
    make_directory(state_directory)
    log = Log(state_directory / f"{service}-worker.log")
    with log.path.open("ab") as output:
        # In a session of its own, so that Ctrl-C reaches only the demo.
        process = psutil.Popen(
            # -P: a file in the working directory is never taken for a module of the library.
            [sys.executable, "-P", "-m", "batching_demo", service, "worker"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**MALLOC, **environment},
            umask=PRIVATE,
            start_new_session=True,
        )
    name = f"{service} worker"
    register(state_directory, process.pid, name)
    return StartedWorker(name, process, log)


async def watched(workers: Sequence[StartedWorker], work: Coroutine[Any, Any, Result]) -> Result:
    """Do something that needs workers.

    Raises:
        DevStackError: One of them has ended; the work is then cancelled.
    """
    task = asyncio.create_task(work)
    try:
        while not (await asyncio.wait([task], timeout=LOOK_SECONDS))[0]:
            for worker in workers:
                worker.check()
        return task.result()
    finally:
        task.cancel()
        await asyncio.wait([task])


def coalescing_by(settings: BatcherSettings) -> dict[str, str]:
    """Return the environment that makes a batcher worker gather calls by these settings."""
    return {
        "BATCHING_DEMO_MAX_RECORDS": str(settings.max_records),
        "BATCHING_DEMO_MAX_BYTES": str(settings.max_bytes),
        "BATCHING_DEMO_LINGER": str(settings.linger_seconds),
        "BATCHING_DEMO_MAX_WRITES_PER_SECOND": str(settings.max_writes_per_second),
    }
