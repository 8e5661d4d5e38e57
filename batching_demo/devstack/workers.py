"""Worker processes beside the embedded servers, each with a log in the state directory."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

from batching_demo.contracts.limits import KIB
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.devstack.processes import register, stop_processes

SERVICES = ("main", "batcher")
MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(64 * KIB)}
"""Makes glibc return the memory of large payloads to the system; else it raises the threshold."""


def start_workers(
    state_directory: Path, environment: Mapping[str, str] | None = None
) -> list[psutil.Process]:
    """Start a worker of each service; `dev down` stops them too, if nobody else does."""
    return [start_worker(state_directory, service, environment) for service in SERVICES]


def stop_workers(workers: list[psutil.Process]) -> None:
    """Let workers finish what runs, then end them."""
    stop_processes(workers, (signal.SIGTERM, 20.0))


def start_worker(
    state_directory: Path, service: str, environment: Mapping[str, str] | None = None
) -> psutil.Process:
    """Start a worker of one service.

    Args:
        state_directory: gets its log, and registers it for `dev down`.
        service: main or batcher.
        environment: variables that differ from those of this process.
    """
    state_directory.mkdir(parents=True, exist_ok=True)
    name = f"{service} worker"
    with (state_directory / f"{service}-worker.log").open("ab") as log:
        # In a session of its own, so that Ctrl-C reaches only the demo.
        process = psutil.Popen(
            [sys.executable, "-m", "batching_demo", service, "worker"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Two workers cannot serve their metrics at one address.
            env={**MALLOC, **os.environ, "BATCHING_DEMO_METRICS_BIND": "", **(environment or {})},
            start_new_session=True,
        )
    register(state_directory, process.pid, name)
    return process


def coalescing_by(settings: BatcherSettings) -> dict[str, str]:
    """Return the environment that makes a batcher worker gather calls by these settings."""
    return {
        "BATCHING_DEMO_MAX_RECORDS": str(settings.max_records),
        "BATCHING_DEMO_MAX_BYTES": str(settings.max_bytes),
        "BATCHING_DEMO_LINGER": str(settings.linger_seconds),
        "BATCHING_DEMO_MAX_WRITES_PER_SECOND": str(settings.max_writes_per_second),
    }
