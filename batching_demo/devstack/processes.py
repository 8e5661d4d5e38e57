"""Processes that belong to a state directory, found without the process that started them."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
from pydantic import BaseModel, ValidationError

from batching_demo.devstack.errors import DevStackError
from batching_demo.devstack.files import write_atomically

SERVER_PROGRAMS = frozenset({"initdb", "postgres", "temporal", "valkey-server"})
CLOCK_TOLERANCE = 2.0


class Worker(BaseModel):
    """A worker process that was registered when it started."""

    name: str
    pid: int
    created: float

    def process(self) -> psutil.Process | None:
        """Find the process unless it has ended; by then its id may belong to another one."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < CLOCK_TOLERANCE
        except psutil.NoSuchProcess:
            return None
        return process if same and is_alive(self.pid) else None


def register(state_directory: Path, pid: int, name: str) -> None:
    """Register a worker process for `dev status` to show and `dev down` to stop."""
    with suppress(psutil.NoSuchProcess):
        worker = Worker(name=name, pid=pid, created=psutil.Process(pid).create_time())
        write_atomically(_registry(state_directory) / f"{pid}.json", worker.model_dump_json())


def registered(state_directory: Path) -> list[Worker]:
    """List the registered workers that still run, and forget the others."""
    running = []
    for path in sorted(_registry(state_directory).glob("*.json")):
        try:
            worker = Worker.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            continue
        if worker.process():
            running.append(worker)
        else:
            path.unlink(missing_ok=True)
    return running


def find_servers(directory: Path) -> list[psutil.Process]:
    """Find servers whose command line names a file or directory in here."""
    return _outermost(lambda process: _names(process, directory))


def find_orphans(directory: Path) -> list[psutil.Process]:
    """Find the children of a killed Postgres, which work in the directory of its cluster."""
    return _outermost(lambda process: process.info["cwd"] == str(directory))


def _outermost(belongs: Callable[[psutil.Process], bool]) -> list[psutil.Process]:
    found: dict[int, psutil.Process] = {}
    # It would pass over a process that has the id of one that it has seen before.
    psutil.process_iter.cache_clear()
    for process in psutil.process_iter(["name"]):
        # Most processes are others', and their names alone cost a third of all this.
        if process.info["name"] in SERVER_PROGRAMS:
            with suppress(psutil.NoSuchProcess):
                process.info |= process.as_dict(["cmdline", "cwd", "ppid"])
                if belongs(process):
                    found[process.pid] = process
    # A child that has just been forked still shows its parent's command line.
    return [process for process in found.values() if process.info["ppid"] not in found]


def _names(process: psutil.Process, directory: Path) -> bool:
    words: list[str] = process.info["cmdline"] or []
    # As texts: the title of a process of Postgres is followed by a hundred empty words.
    inside = f"{directory}{os.sep}"
    return any(f"{word}{os.sep}".startswith(inside) for word in words[1:])


def option_of(process: psutil.Process, flag: str) -> str:
    """Read the value of an option from the command line of a process."""
    words: list[str] = process.info["cmdline"]
    return words[words.index(flag) + 1]


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one that only waits to be reaped does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def stop_processes(
    processes: Sequence[psutil.Process], *stages: tuple[signal.Signals, float]
) -> None:
    """Send signals to processes until all have ended.

    Args:
        processes: The processes to end.
        stages: Signals, each with the seconds to wait after it. What is left then is killed.

    Raises:
        DevStackError: A process belongs to another user, or does not end even so.
    """
    left = list(processes)
    for number, seconds in stages:
        _send(left, number)
        left = _wait_for(left, seconds)
    for process in tuple(left):
        with suppress(psutil.NoSuchProcess):
            left += process.children(recursive=True)
    _send(left, signal.SIGKILL)
    for process in _wait_for(left, 10):
        raise DevStackError(f"process {process.pid} does not end, not even when killed")


def _send(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied as error:
            raise DevStackError(f"process {process.pid} belongs to another user") from error


def _wait_for(processes: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    # psutil.wait_procs waits until init reaps them, which in some containers takes seconds.
    deadline = time.monotonic() + seconds
    left = list(processes)
    while (left := [each for each in left if is_alive(each.pid)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def _registry(state_directory: Path) -> Path:
    return state_directory / "workers"
