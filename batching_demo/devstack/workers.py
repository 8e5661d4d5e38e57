"""Worker processes beside the embedded servers, each with a log in the state directory."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil

from batching_demo.devstack.processes import register, stop

SERVICES = ("main", "batcher")


def start_workers(state_directory: Path) -> list[psutil.Process]:
    """Start a worker of each service; `dev down` stops them too, if nobody else does."""
    return [_start(state_directory, service) for service in SERVICES]


def stop_workers(workers: list[psutil.Process]) -> None:
    """Let workers finish what is running, then end them."""
    stop(workers, (signal.SIGTERM, 20.0))


def _start(state_directory: Path, service: str) -> psutil.Process:
    state_directory.mkdir(parents=True, exist_ok=True)
    name = f"{service} worker"
    with (state_directory / f"{service}-worker.log").open("ab") as log:
        # A session of its own, so that Ctrl-C reaches the demo alone.
        process = subprocess.Popen(
            [sys.executable, "-m", "batching_demo", service, "worker"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    register(state_directory, process.pid, name)
    return psutil.Process(process.pid)
