"""The write path `queued`: submissions travel through a stream of a real Valkey."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.enums.v1 import EventType
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client

from batching_demo.comparison import postgres_counts
from batching_demo.contracts.names import WritePath
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.devstack.valkey import ValkeyServer
from batching_demo.queue_servers.submission_streams import BODY_FIELD, stream_name
from batching_demo.requester import until_answered
from batching_demo.settings import QUEUE_URL
from tests.support.commands import aside, assert_one_line
from tests.support.database import expect_dead_letters, fetch, rows
from tests.support.loading import load, write_ndjson
from tests.support.services import batcher_service, main_service
from tests.support.waiting import eventually, in_time

QUICK = BatcherSettings(linger_seconds=0.2)


@pytest.fixture
async def redis(valkey: ValkeyServer, quick_reads: None) -> AsyncIterator[Any]:
    client = Redis.from_url(valkey.url)
    yield client
    await client.aclose()


@asynccontextmanager
async def services(client: Client, engine: AsyncEngine, queue: str) -> AsyncIterator[None]:
    async with (
        main_service(client, queue_url=queue),
        batcher_service(client, engine, QUICK, queue_url=queue),
    ):
        yield


def loading(client: Client, path: Path, **options: object) -> asyncio.Task[Any]:
    return asyncio.create_task(
        load(client, path, write_path=WritePath.QUEUED, **options)  # type: ignore[arg-type]  # of any field
    )


def write(path: Path, number: int) -> Path:
    return write_ndjson(path, [{"id": f"k{place}"} for place in range(number)])


async def expect_entries(redis: Any, client: Client, number: int) -> None:
    async def check() -> None:
        assert await redis.xlen(stream_name(client.namespace, 0)) == number

    await eventually(check)


async def expect_details(client: Client, words: str) -> None:
    """Wait until the one workflow says what it waits for."""

    async def check() -> None:
        found = [one.id async for one in client.list_workflows("WorkflowType = 'MainWorkflow'")]
        assert len(found) == 1
        metadata = await client.get_workflow_handle(found[0]).query(
            "__temporal_workflow_metadata", result_type=WorkflowMetadata
        )
        assert words in metadata.current_details

    await eventually(check)


async def test_records_of_every_verdict(
    client: Client, engine: AsyncEngine, valkey: ValkeyServer, redis: Any, tmp_path: Path
) -> None:
    documents = [{"id": "a"}, {"id": "b"}, {"id": "a"}, {"id": "a", "n": 1}, {"id": "c", "n": "\0"}]
    path = write_ndjson(tmp_path / "in.ndjson", documents)
    async with services(client, engine, valkey.url):
        summary = await in_time(
            loading(client, path, records_per_workflow=5, settings=QUICK, shards=3)
        )
        counts = (summary.written, summary.duplicate, summary.conflict, summary.rejected)
        assert counts == (2, 1, 1, 1)
        await expect_dead_letters(engine, 2)
    (found,) = await fetch(engine, "SELECT DISTINCT write_path, shard IS NULL, source FROM records")
    assert found == ("queued", False, "in.ndjson")
    keys = await redis.keys(f"batching-demo/{client.namespace}/[0-9]*")
    assert [await redis.xlen(key) for key in keys] == [0] * len(keys)
    assert [(await redis.xinfo_groups(key))[0]["pending"] for key in keys] == [0] * len(keys)


async def test_a_queue_that_forgets_loses_no_record(
    client: Client,
    engine: AsyncEngine,
    valkey: ValkeyServer,
    redis: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(until_answered, "SHORTEST_ACK_TIMEOUT_SECONDS", 2.0)
    path = write(tmp_path / "in.ndjson", 60)
    async with main_service(client, queue_url=valkey.url):
        work = loading(client, path, records_per_workflow=10, settings=QUICK)
        await expect_entries(redis, client, 6)
        async with batcher_service(client, engine, queue_url=valkey.url):
            # It has received them, and lingers.
            await redis.flushall()
        await redis.flushall()
        async with batcher_service(client, engine, QUICK, queue_url=valkey.url):
            summary = await in_time(work)
    assert (summary.written, summary.failures) == (60, [])
    assert await rows(engine) == 60


async def test_what_is_still_queued_is_not_added_again(
    client: Client,
    engine: AsyncEngine,
    valkey: ValkeyServer,
    redis: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(until_answered, "SHORTEST_ACK_TIMEOUT_SECONDS", 0.2)
    path = write(tmp_path / "in.ndjson", 3)
    async with main_service(client, queue_url=valkey.url):
        work = loading(client, path, records_per_workflow=3, settings=QUICK)

        async def looked_three_times() -> None:
            found = [one.id async for one in client.list_workflows("WorkflowType = 'MainWorkflow'")]
            assert len(found) == 1
            history = await client.get_workflow_handle(found[0]).fetch_history()
            kinds = [event.event_type for event in history.events]
            # Two are those that load and prepare.
            assert kinds.count(EventType.EVENT_TYPE_MARKER_RECORDED) >= 5

        await eventually(looked_three_times)
        await expect_entries(redis, client, 1)
        async with batcher_service(client, engine, QUICK, queue_url=valkey.url):
            assert (await in_time(work)).written == 3


async def test_a_queue_without_memory_is_busy(
    client: Client, engine: AsyncEngine, valkey: ValkeyServer, redis: Any, tmp_path: Path
) -> None:
    path = write(tmp_path / "in.ndjson", 3)
    async with services(client, engine, valkey.url):
        await redis.config_set("maxmemory", 1)
        try:
            work = loading(client, path, records_per_workflow=3)
            await expect_details(client, "the server is out of memory: raise its maxmemory")
        finally:
            await redis.config_set("maxmemory", 0)
        assert (await in_time(work)).written == 3


async def test_what_is_no_submission_becomes_a_dead_letter(
    client: Client, engine: AsyncEngine, valkey: ValkeyServer, redis: Any
) -> None:
    stream = stream_name(client.namespace, 0)
    async with batcher_service(client, engine, QUICK, queue_url=valkey.url):
        await redis.xadd(stream, {BODY_FIELD: b"not packed"})
        await redis.xadd(stream, {"another": b"field"})
        await expect_dead_letters(engine, 2)
        await expect_entries(redis, client, 0)


@pytest.mark.usefixtures("on_servers")
async def test_compare_and_the_doctor_look_for_a_worker_that_consumes(
    client: Client,
    engine: AsyncEngine,
    valkey: ValkeyServer,
    redis: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(postgres_counts, "LONGEST_LAG_SECONDS", 0.0)  # Nobody reads the counters.
    compare = ("compare", "--write-path", "queued", "--records", "5", "--quiet")
    async with main_service(client, queue_url=valkey.url):
        async with batcher_service(client, engine):
            assert_one_line(await aside(*compare), 1, "the path queued needs a queue: set BATCHING")
            monkeypatch.setenv(QUEUE_URL, valkey.url)
            assert_one_line(await aside(*compare), 1, "no batcher worker consumes redis://127")
            checks = (await aside("doctor")).stdout
            assert "0 messages, and no batcher worker consumes: start `batching-demo" in checks
        async with batcher_service(client, engine, QUICK, queue_url=valkey.url):
            result = await aside(*compare)
            assert (result.exit_code, result.stderr) == (0, ""), result.output
            assert "queued" in result.stdout
            checks = (await aside("doctor")).stdout
            assert re.search(
                r"ok +queue +redis://.*/0: 0 messages, 1 stream$", checks, re.MULTILINE
            )
            await redis.config_set("maxmemory-policy", "allkeys-lru")
            checks = (await aside("doctor")).stdout
            await redis.config_set("maxmemory-policy", "noeviction")
            assert "drops what it holds by allkeys-lru: set its maxmemory-policy" in checks


async def test_a_worker_without_a_queue_is_named(
    client: Client, engine: AsyncEngine, tmp_path: Path
) -> None:
    path = write(tmp_path / "in.ndjson", 1)
    async with main_service(client):
        work = loading(client, path, deadline_seconds=60)
        await expect_details(client, "set BATCHING_DEMO_QUEUE_URL for the worker of this workflow")
        work.cancel()
