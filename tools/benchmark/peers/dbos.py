"""The DBOS peer, run in a process of its own beside the servers of the benchmark."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from importlib.util import find_spec

import psutil
from sqlalchemy.engine import make_url

from tools.benchmark.harness.bench import BenchmarkError
from tools.benchmark.peers.job import Job

SYSTEM_DATABASE = "dbos_peer"
START_SECONDS = 60


class Dbos:
    """A running peer.

    Args:
        process: Of `tools.benchmark.peers.dbos_runner`.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.process = psutil.Process(process.pid)

    async def run(self, job: Job) -> float:
        """Run a job, and return its seconds."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(asdict(job)).encode() + b"\n")
        return float(await self.read())

    async def read(self) -> str:
        """Return the next line of the peer.

        Raises:
            BenchmarkError: The peer has ended.
        """
        assert self._process.stdout
        line = (await self._process.stdout.readline()).decode()
        if not line:
            raise BenchmarkError("the DBOS peer has ended: its error is above")
        return line


@asynccontextmanager
async def dbos(database_url: str) -> AsyncIterator[Dbos]:
    """Start the peer, with a system database in the same Postgres, and stop it in the end.

    Raises:
        BenchmarkError: DBOS is not installed.
    """
    if not find_spec("dbos"):
        raise BenchmarkError("DBOS is not installed: `scripts/benchmark peers` installs it")
    system = make_url(database_url).set(database=SYSTEM_DATABASE)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tools.benchmark.peers.dbos_runner"),
        stdin=PIPE,
        stdout=PIPE,
        env={
            **os.environ,
            "DATABASE_URL": database_url,
            "DBOS_DATABASE_URL": system.render_as_string(hide_password=False),
        },
    )
    try:
        peer = Dbos(process)
        async with asyncio.timeout(START_SECONDS):
            while await peer.read() != "ready\n":
                pass
        yield peer
    finally:
        process.terminate()
        await process.wait()
