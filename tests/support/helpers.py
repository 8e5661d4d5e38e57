"""What several tests need: waiting for something, making records, running workers."""

import asyncio
import hashlib
import json
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import TypeVar
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.batcher_service import worker as batcher_worker
from batching_demo.contracts.encoding import PreparedRecord, encode_records
from batching_demo.contracts.messages import BatcherSettings, SubmissionHeader
from batching_demo.contracts.names import BATCHER_TASK_QUEUE, MAIN_TASK_QUEUE, WritePath
from batching_demo.database.rows import Stamp
from batching_demo.main_service import worker as main_worker
from batching_demo.temporal import wait_for_pollers

T = TypeVar("T")


async def eventually(
    check: Callable[[], Awaitable[T]], *, within: float = 20.0, every: float = 0.05
) -> T:
    """Call `check` until its assertions hold, and give back what it returns."""
    deadline = time.monotonic() + within
    while True:
        try:
            return await check()
        except AssertionError:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(every)


def record(key: str, payload: object = None, *, line: int = 1) -> PreparedRecord:
    """Make a prepared record; its payload is its key unless one is given."""
    document = json.dumps({"key": key} if payload is None else payload)
    return PreparedRecord(key, line, document, hashlib.sha256(document.encode()).digest())


def noise(size: int, seed: object = 0) -> str:
    """Make text that takes this many bytes even deflated."""
    return b64encode(Random(repr(seed)).randbytes(size)).decode()


def submission(
    submission_id: str, records: Sequence[PreparedRecord], requester: str = "nobody"
) -> tuple[SubmissionHeader, bytes]:
    """Make a submission of records."""
    encoded = encode_records(records)
    header = SubmissionHeader(submission_id, requester, len(records), len(encoded), source="test")
    return header, encoded


async def fetch(engine: AsyncEngine, sql: str) -> list[tuple[object, ...]]:
    """Run a query and give back its rows."""
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(sql))]


async def scalar(engine: AsyncEngine, sql: str) -> object:
    """Run a query and give back its one value."""
    return (await fetch(engine, sql))[0][0]


def stamp(batch_id: UUID | None = None, shard: int = 0) -> Stamp:
    """Name a batch."""
    return Stamp(batch_id or uuid4(), WritePath.BATCHED, shard)


@asynccontextmanager
async def batcher_service(
    client: Client, engine: AsyncEngine, coalescing: BatcherSettings | None = None
) -> AsyncIterator[None]:
    """Run a worker of the batcher service, and wait until it polls."""
    async with batcher_worker.build_worker(client, engine, 5, coalescing):
        await wait_for_pollers(client, BATCHER_TASK_QUEUE)
        yield


@asynccontextmanager
async def main_service(client: Client) -> AsyncIterator[None]:
    """Run a worker of the main service, and wait until it polls."""
    async with main_worker.build_worker(client):
        await wait_for_pollers(client, MAIN_TASK_QUEUE)
        yield


@asynccontextmanager
async def both_services(client: Client, engine: AsyncEngine) -> AsyncIterator[None]:
    """Run a worker of each service."""
    async with batcher_service(client, engine), main_service(client):
        yield
