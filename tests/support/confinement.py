"""Programs in a sandbox of bubblewrap that has no rights, and one folder to write to."""

import asyncio
import json
import os
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.debian import BUBBLEWRAP

NOBODY = "65532"
"""The user of the image."""
PROGRAM = Path(sys.executable).with_name("batching-demo")
ROOT = (
    *("--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"),
    *("--cap-drop", "ALL", "--unshare-pid", "--as-pid-1", "--new-session", "--die-with-parent"),
)
AS_NOBODY = ("--unshare-user", "--uid", NOBODY, "--gid", NOBODY)
"""Where the system lets nobody make users of his own, root makes do without."""


@dataclass(frozen=True)
class Confined:
    """A program in its sandbox."""

    sandbox: Process
    pid: int
    """The program's id outside of the sandbox, in which it is 1."""

    @property
    def status(self) -> dict[str, str]:
        """What the system says of the program, such as its capabilities."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def signal(self, number: int) -> None:
        """Send a signal to the program, as an engine of containers does."""
        os.kill(self.pid, number)

    async def end(self) -> tuple[int | None, str]:
        """Wait for the end; return the exit code, and what was said and not yet read."""
        output, _ = await self.sandbox.communicate()
        return self.sandbox.returncode, output.decode()


@asynccontextmanager
async def confined(
    environment: Mapping[str, str], state: Path, *arguments: str
) -> AsyncIterator[Confined]:
    """Run `batching-demo`, and kill it in the end if it still runs.

    Args:
        environment: The whole of it.
        state: The state directory, where alone it may write.
        arguments: The command.
    """
    reading, writing = os.pipe()
    sandbox = await asyncio.create_subprocess_exec(
        *(BUBBLEWRAP, *_options(), "--bind", state, state, "--info-fd", str(writing)),
        *(PROGRAM, *arguments),
        cwd="/",
        env={**environment, "XDG_STATE_HOME": str(state)},
        stdout=PIPE,
        stderr=asyncio.subprocess.STDOUT,
        pass_fds=[writing],
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as information:
            pid = json.loads(await asyncio.to_thread(information.read))["child-pid"]
        yield Confined(sandbox, pid)
    finally:
        if sandbox.returncode is None:
            sandbox.kill()
            await sandbox.communicate()


def _options() -> tuple[str, ...]:
    strict = (*ROOT, *AS_NOBODY)
    works = subprocess.run([BUBBLEWRAP, *strict, "true"], capture_output=True).returncode == 0
    return strict if works else ROOT
