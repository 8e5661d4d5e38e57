"""Processes that consume a stream, ours and the peer's, and what they do with a full one."""

import asyncio
import csv
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

from redis.asyncio import Redis
from sqlalchemy import text

from tools.benchmark.harness.bench import Bench, BenchmarkError
from tools.benchmark.harness.flights import SERIAL

BODY = "__data__"
"""The field of an entry that FastStream reads."""
LONGEST_SECONDS = 300.0
LOOK_SECONDS = 0.02
SENT_AT_ONCE = 1_000


@dataclass(frozen=True)
class Drained:
    """What consumers made of a stream that was full when they began."""

    records_per_second: float
    batches: int


def flight_messages(path: str, number: int) -> list[bytes]:
    """Return the first flights of a file as JSON objects."""
    with Path(path).open(newline="") as file:
        rows = (row for row, _ in zip(csv.DictReader(file), range(number), strict=False))
        return [json.dumps(row, separators=(",", ":")).encode() for row in rows]


def intake(stream_url: str, batch: int, linger: float) -> list[str]:
    """Return the command of an intake worker."""
    options = ["--max-records", str(batch), "--linger", str(linger), "--body", BODY]
    command = ["-P", "-m", "batching_demo", "intake", "worker", "--from", stream_url]
    return [*command, "--key", SERIAL, *options]


def faststream(stream: str, batch: int) -> list[str]:
    """Return the command of the peer."""
    return ["-m", "tools.benchmark.peers.faststream_runner", stream, str(batch)]


class Stream:
    """A stream of its own, and the processes that consume it.

    Args:
        bench: Its servers.
        redis: A client of the server of the stream.
    """

    def __init__(self, bench: Bench, redis: Any) -> None:
        self._bench, self._redis = bench, redis
        self.name = f"bench-{token_hex(4)}"
        self.url = f"{bench.system.valkey.url}/{self.name}"

    async def fill(self, messages: Sequence[bytes]) -> None:
        """Add messages to the stream, many in a round trip."""
        for start in range(0, len(messages), SENT_AT_ONCE):
            async with self._redis.pipeline(transaction=False) as together:
                for message in messages[start : start + SENT_AT_ONCE]:
                    together.xadd(self.name, {BODY: message})
                await together.execute()

    async def add(self, message: bytes) -> None:
        """Add one message."""
        await self._redis.xadd(self.name, {BODY: message})

    @asynccontextmanager
    async def consumed_by(self, commands: Sequence[Sequence[str]]) -> AsyncIterator[list[Any]]:
        """Run processes that consume the stream, from when all of them wait for messages."""
        processes = [self._start(command) for command in commands]
        try:
            await self._wait_for_consumers(processes)
            yield processes
        finally:
            for process in processes:
                process.send_signal(signal.SIGCONT)
                process.terminate()
            for process in processes:
                await asyncio.to_thread(process.wait)

    async def drained_by(
        self, commands: Sequence[Sequence[str]], messages: Sequence[bytes]
    ) -> Drained:
        """Fill the stream while its consumers are paused, and time how they write it.

        Raises:
            BenchmarkError: They do not write all of it.
        """
        await self._bench.empty_tables()
        async with self.consumed_by(commands) as processes:
            for process in processes:
                process.send_signal(signal.SIGSTOP)
            await self.fill(messages)
            began = time.monotonic()
            for process in processes:
                process.send_signal(signal.SIGCONT)
            await self.wait_for_rows(len(messages))
            seconds = time.monotonic() - began
        async with self._bench.engine.connect() as connection:
            batches = await connection.scalar(text("SELECT count(DISTINCT batch_id) FROM records"))
        return Drained(len(messages) / seconds, int(batches or 0))

    async def wait_for_rows(self, number: int) -> None:
        """Wait until so many rows are stored.

        Raises:
            BenchmarkError: That takes too long.
        """
        count = text("SELECT count(*) FROM records")
        try:
            async with asyncio.timeout(LONGEST_SECONDS), self._bench.engine.connect() as connection:
                connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
                while int(await connection.scalar(count) or 0) < number:
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            raise BenchmarkError(f"{self.name}: not all messages were written") from None

    def _start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        system = self._bench.system
        with (system.directory / "consumers.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *command], env=system.environment(), stdout=log, stderr=log
            )

    async def _wait_for_consumers(self, processes: Sequence[subprocess.Popen[bytes]]) -> None:
        """Wait until each process is a consumer of the stream."""
        while await self._consumers() < len(processes):
            if any(process.poll() is not None for process in processes):
                raise BenchmarkError("a consumer has ended: see consumers.log")
            await asyncio.sleep(LOOK_SECONDS)

    async def _consumers(self) -> int:
        if not await self._redis.exists(self.name):
            return 0
        return sum(group["consumers"] for group in await self._redis.xinfo_groups(self.name))


@asynccontextmanager
async def client_of(bench: Bench) -> AsyncIterator[Any]:
    """Open a client of the server of streams."""
    client = Redis.from_url(bench.system.valkey.url)
    try:
        yield client
    finally:
        await client.aclose()
