"""Run programs of the project as processes of their own."""

import asyncio
import os
import pty
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from tests.support.root import ROOT


async def _start(environment: Mapping[str, str], *command: str, errors: int) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        cwd=ROOT,
        env={**os.environ, **environment, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=errors,
    )


async def start(environment: Mapping[str, str], script: str, *arguments: str) -> Process:
    """Start a program of scripts/."""
    program = str(ROOT / "scripts" / script)
    return await _start(environment, program, *arguments, errors=asyncio.subprocess.PIPE)


async def start_process(environment: Mapping[str, str], *command: str) -> Process:
    """Start Python with these arguments, its errors among its output."""
    return await _start(environment, *command, errors=asyncio.subprocess.STDOUT)


async def start_on_terminal(
    environment: Mapping[str, str], *arguments: str
) -> tuple[asyncio.StreamReader, Process]:
    """Start `batching-demo` on a terminal of its own; return what it shows, and the process."""
    ours, its = pty.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "batching_demo", *arguments),
            cwd=ROOT,
            env={**os.environ, **environment, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"},
            stdout=its,
            stderr=its,
        )
    finally:
        os.close(its)
    shown = asyncio.StreamReader()
    asyncio.get_running_loop().add_reader(ours, _forward, ours, shown)
    return shown, process


def _forward(terminal: int, shown: asyncio.StreamReader) -> None:
    """Pass on what is shown; Linux reports the end of a terminal as an error."""
    with suppress(OSError):
        if some := os.read(terminal, 65_536):
            shown.feed_data(some)
            return
    asyncio.get_running_loop().remove_reader(terminal)
    os.close(terminal)
    shown.feed_eof()


async def finish(process: Process) -> tuple[int | None, str, str]:
    """Wait for a process to end; return its exit code, output and errors."""
    output, errors = await process.communicate()
    return process.returncode, output.decode(), errors.decode()


async def line_with(process: Process, words: str) -> str:
    """Read a process' output up to a line with these words."""
    assert process.stdout
    async for line in process.stdout:
        if words in line.decode():
            return line.decode()
    raise AssertionError(f"the process ended without saying {words!r}")


async def run(environment: Mapping[str, str], script: str, *arguments: str) -> tuple[int, str]:
    """Run a program of scripts/ to its end; return its exit code and output."""
    code, output, errors = await finish(await start(environment, script, *arguments))
    assert code is not None
    assert "Traceback" not in errors
    return code, output


@asynccontextmanager
async def worker(environment: Mapping[str, str], script: str) -> AsyncIterator[Process]:
    """Run a worker of scripts/, and stop it in the end unless a test has killed it."""
    process = await start(environment, script)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        code, _, errors = await finish(process)
        assert code in (0, -signal.SIGKILL), errors
