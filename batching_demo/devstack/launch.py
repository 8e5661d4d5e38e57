"""Run programs of the servers to their end, or detached from the process that starts them."""

import os
import pwd
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from batching_demo.devstack.account import run_as
from batching_demo.devstack.errors import DevStackError
from batching_demo.devstack.processes import is_alive

ERROR_WORDS = re.compile(r"error|fatal|panic|could not|cannot", re.IGNORECASE)
LAST_LINES = 5


class Log:
    """A log file, and the place in it where the lines of this run begin."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.beginning = path.stat().st_size if path.exists() else 0

    def explain(self) -> str:
        """Quote the last line of this run that names an error."""
        lines = self._lines() or ["no output"]
        errors = [line for line in lines if ERROR_WORDS.search(line)]
        return f"{(errors or lines)[-1].strip()} (log: {self.path})"

    def last_lines(self) -> str:
        """Return the last lines of this run, each on an indented line of its own."""
        return "".join(f"\n  {line}" for line in self._lines()[-LAST_LINES:] or ["no output"])

    def _lines(self) -> list[str]:
        with self.path.open("rb") as file:
            file.seek(self.beginning)
            return [line for line in file.read().decode(errors="replace").splitlines() if line]


def run_to_end(
    command: Sequence[str | Path],
    log: Log,
    account: pwd.struct_passwd | None = None,
    standard_input: str = "",
) -> None:
    """Run a program and wait for it.

    Raises:
        DevStackError: It failed; the message quotes its log.
    """
    with log.path.open("ab") as output:
        result = subprocess.run(
            command,
            check=False,
            input=standard_input.encode(),
            stdout=output,
            stderr=output,
            cwd="/",
            env=server_environment(log.path.parent),
            **run_as(account),
        )
    if result.returncode != 0:
        raise DevStackError(f"{Path(command[0]).name} failed: {log.explain()}")


def launch(
    command: Sequence[str | Path], log: Log, account: pwd.struct_passwd | None = None
) -> int:
    """Start a server in a session of its own and return its process id."""
    # The shell leaves the server to init, so that any process may stop it and none has to reap it.
    script = '"$@" >&2 & echo $!'
    with log.path.open("ab") as output:
        shell = subprocess.run(
            ["/bin/sh", "-c", script, "sh", *command],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            cwd="/",
            env=server_environment(log.path.parent),
            start_new_session=True,
            **run_as(account),
        )
    return int(shell.stdout)


def wait_until(is_ready: Callable[[], bool], pid: int, what: str, log: Log) -> None:
    """Wait until a server that was just started is ready.

    Raises:
        DevStackError: It ended instead, or took more than a minute.
    """
    deadline = time.monotonic() + 60
    while not is_ready():
        if not is_alive(pid):
            raise DevStackError(f"{what} did not start: {log.explain()}")
        if time.monotonic() > deadline:
            raise DevStackError(f"{what} is not ready after 60 s: {log.explain()}")
        time.sleep(0.05)


def server_environment(home: Path) -> dict[str, str]:
    """Return an environment without our caller's: servers outlive it, maybe as another user."""
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "LC_ALL": "C"}
