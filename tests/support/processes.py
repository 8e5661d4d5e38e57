"""Run the programs of scripts/ as processes of their own."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


async def start(environment: dict[str, str], script: str, *arguments: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "scripts" / script),
        *arguments,
        cwd=ROOT,
        env={**os.environ, **environment, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def finish(process: Process) -> tuple[int | None, str, str]:
    output, errors = await process.communicate()
    return process.returncode, output.decode(), errors.decode()


async def run(environment: dict[str, str], script: str, *arguments: str) -> tuple[int, str]:
    code, output, errors = await finish(await start(environment, script, *arguments))
    assert code is not None
    assert "Traceback" not in errors
    return code, output


@asynccontextmanager
async def worker(environment: dict[str, str], script: str) -> AsyncIterator[Process]:
    process = await start(environment, script)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        code, _, errors = await finish(process)
        assert code in (0, -signal.SIGKILL), errors
