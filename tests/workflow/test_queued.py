"""The write path `queued`: submissions travel through a stream of a real Valkey."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.enums.v1 import EventType
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowHandle

from batching_demo.comparison import postgres_counts
from batching_demo.contracts.names import WritePath
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.devstack.valkey import ValkeyServer
from batching_demo.main_service.summary import Summary
from batching_demo.queue_servers.submission_streams import BODY_FIELD, stream_name
from batching_demo.requester import until_answered
from batching_demo.settings import QUEUE_URL
from tests.support.commands import aside, assert_one_line
from tests.support.database import expect_dead_letters, fetch, rows
from tests.support.loading import load, write_ndjson
from tests.support.services import batcher_service, main_service
from tests.support.waiting import eventually, in_time

QUICK, SLOW = BatcherSettings(linger_seconds=0.2), BatcherSettings()


def numbered(number: int) -> list[dict[str, str]]:
    return [{"id": f"k{place}"} for place in range(number)]


@dataclass(frozen=True)
class Queue:
    """The stream of one namespace, and both services at its ends."""

    client: Client
    engine: AsyncEngine
    redis: Any
    url: str
    directory: Path

    @property
    def stream(self) -> str:
        return stream_name(self.client.namespace, 0)

    def main_service(self) -> AbstractAsyncContextManager[None]:
        return main_service(self.client, queue_url=self.url)

    def batcher_service(
        self, coalescing: BatcherSettings = QUICK
    ) -> AbstractAsyncContextManager[None]:
        return batcher_service(self.client, self.engine, coalescing, queue_url=self.url)

    def loading(self, records: Iterable[object], **options: Any) -> asyncio.Task[Summary]:
        path = write_ndjson(self.directory / "in.ndjson", records)
        options = {"write_path": WritePath.QUEUED, "settings": QUICK, **options}
        return asyncio.create_task(load(self.client, path, **options))

    async def workflow(self) -> WorkflowHandle[Any, Any]:
        """Return the one main workflow."""
        listed = self.client.list_workflows("WorkflowType = 'MainWorkflow'")
        found = [one.id async for one in listed]
        assert len(found) == 1
        return self.client.get_workflow_handle(found[0])

    async def expect_entries(self, number: int) -> None:
        async def check() -> None:
            assert await self.redis.xlen(self.stream) == number

        await eventually(check)

    async def expect_details(self, words: str) -> None:
        """Wait until the one workflow says what it waits for."""

        async def check() -> None:
            workflow = await self.workflow()
            metadata = await workflow.query(
                "__temporal_workflow_metadata", result_type=WorkflowMetadata
            )
            assert words in metadata.current_details

        await eventually(check)


@pytest.fixture
async def queue(
    client: Client, engine: AsyncEngine, valkey: ValkeyServer, quick_reads: None, tmp_path: Path
) -> AsyncIterator[Queue]:
    redis = Redis.from_url(valkey.url)
    yield Queue(client, engine, redis, valkey.url, tmp_path)
    await redis.aclose()


async def test_records_of_every_verdict(queue: Queue) -> None:
    documents = [{"id": "a"}, {"id": "b"}, {"id": "a"}, {"id": "a", "n": 1}, {"id": "c", "n": "\0"}]
    async with queue.main_service(), queue.batcher_service():
        summary = await in_time(queue.loading(documents, records_per_workflow=5, shards=3))
        counts = (summary.written, summary.duplicate, summary.conflict, summary.rejected)
        assert counts == (2, 1, 1, 1)
        await expect_dead_letters(queue.engine, 2)
    stored = "SELECT DISTINCT write_path, shard IS NULL, source FROM records"
    assert await fetch(queue.engine, stored) == [("queued", False, "in.ndjson")]
    redis = queue.redis
    keys = await redis.keys(f"batching-demo/{queue.client.namespace}/[0-9]*")
    assert [await redis.xlen(key) for key in keys] == [0] * len(keys)
    assert [(await redis.xinfo_groups(key))[0]["pending"] for key in keys] == [0] * len(keys)


async def test_a_queue_that_forgets_loses_no_record(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(until_answered, "SHORTEST_ACK_TIMEOUT_SECONDS", 2.0)
    async with queue.main_service():
        work = queue.loading(numbered(60), records_per_workflow=10)
        await queue.expect_entries(6)
        async with queue.batcher_service(SLOW):
            # It has received them, and lingers.
            await queue.redis.flushall()
        await queue.redis.flushall()
        async with queue.batcher_service():
            summary = await in_time(work)
    assert (summary.written, summary.failures) == (60, [])
    assert await rows(queue.engine) == 60


async def test_what_is_still_queued_is_not_added_again(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(until_answered, "SHORTEST_ACK_TIMEOUT_SECONDS", 0.2)
    async with queue.main_service():
        work = queue.loading(numbered(3), records_per_workflow=3)

        async def looked_three_times() -> None:
            history = await (await queue.workflow()).fetch_history()
            kinds = [event.event_type for event in history.events]
            # Two are those that load and prepare.
            assert kinds.count(EventType.EVENT_TYPE_MARKER_RECORDED) >= 5

        await eventually(looked_three_times)
        await queue.expect_entries(1)
        async with queue.batcher_service():
            assert (await in_time(work)).written == 3


async def test_a_queue_without_memory_is_busy(queue: Queue) -> None:
    async with queue.main_service(), queue.batcher_service():
        await queue.redis.config_set("maxmemory", 1)
        try:
            work = queue.loading(numbered(3), records_per_workflow=3)
            await queue.expect_details("the server is out of memory: raise its maxmemory")
        finally:
            await queue.redis.config_set("maxmemory", 0)
        assert (await in_time(work)).written == 3


async def test_what_is_no_submission_becomes_a_dead_letter(queue: Queue) -> None:
    async with queue.batcher_service():
        await queue.redis.xadd(queue.stream, {BODY_FIELD: b"not packed"})
        await queue.redis.xadd(queue.stream, {"another": b"field"})
        await expect_dead_letters(queue.engine, 2)
        await queue.expect_entries(0)


@pytest.mark.usefixtures("on_servers")
async def test_compare_and_the_doctor_look_for_a_worker_that_consumes(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_counts, "LONGEST_LAG_SECONDS", 0.0)  # Nobody reads the counters.
    compare = ("compare", "--write-path", "queued", "--records", "5", "--quiet")
    async with queue.main_service():
        async with batcher_service(queue.client, queue.engine):
            assert_one_line(await aside(*compare), 1, "the path queued needs a queue: set BATCHING")
            monkeypatch.setenv(QUEUE_URL, queue.url)
            assert_one_line(await aside(*compare), 1, "no batcher worker consumes redis://127")
            checks = (await aside("doctor")).stdout
            assert "0 messages, and no batcher worker consumes: start `batching-demo" in checks
        async with queue.batcher_service():
            result = await aside(*compare)
            assert (result.exit_code, result.stderr) == (0, ""), result.output
            assert "queued" in result.stdout
            checks = (await aside("doctor")).stdout
            assert re.search(
                r"ok +queue +redis://.*/0: 0 messages, 1 stream$", checks, re.MULTILINE
            )
            await queue.redis.config_set("maxmemory-policy", "allkeys-lru")
            checks = (await aside("doctor")).stdout
            await queue.redis.config_set("maxmemory-policy", "noeviction")
            assert "drops what it holds by allkeys-lru: set its maxmemory-policy" in checks


async def test_a_worker_without_a_queue_is_named(queue: Queue) -> None:
    async with main_service(queue.client):
        work = queue.loading(numbered(1), deadline_seconds=60)
        words = "set BATCHING_DEMO_QUEUE_URL for the worker of this workflow"
        await queue.expect_details(words)
        work.cancel()
