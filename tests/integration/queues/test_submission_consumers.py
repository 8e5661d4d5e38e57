"""The streams of submissions, on a real server, without Temporal and without a database."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import uuid4

import pytest
from temporalio.client import Client
from temporalio.runtime import Runtime
from temporalio.testing import ActivityEnvironment

from batching_demo import EncryptionPlugin
from batching_demo.batcher_service.queues import consumers as consumers_module
from batching_demo.batcher_service.queues.consumers import (
    CLAIM_AFTER_SECONDS,
    SubmissionConsumers,
)
from batching_demo.contracts.batches import BatchHeader
from batching_demo.contracts.encoding import join
from batching_demo.contracts.messages import Submission, Verdicts
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.devstack.valkey import ValkeyServer
from batching_demo.queue_servers.errors import QueueUnusableError
from batching_demo.queue_servers.submission_streams import (
    GROUP,
    stream_address,
    stream_name,
)
from batching_demo.requester.messages import Enqueued, EnqueueInput
from batching_demo.requester.queued.enqueuer import Enqueuer
from tests.support.encryption import KEY_A, KEY_B, WRONG_A
from tests.support.queues import client_of, length
from tests.support.records import record, submission
from tests.support.waiting import eventually, in_time

SENT = [submission(f"s{number}", [record(f"k{number}")], "requester") for number in range(3)]

REQUESTERS_RIGHTS = "+hello +sadd +xadd +xrange"
WORKERS_RIGHTS = (
    "+hello +multi +exec +xreadgroup +xack +xdel +xclaim +xpending +xgroup +xinfo +xlen +xrange"
    " +smembers"
)


class Worker:
    """What enqueues and consumes, in a namespace of its own."""

    def __init__(self, queue_url: str, keys: str = "") -> None:
        self.queue_url = queue_url
        self.use_keys(keys)
        self.namespace = f"test-{uuid4().hex[:12]}"
        self.written: list[str] = []
        """Ids of submissions."""
        self.failing: set[str] = set()
        """The writes of these submissions fail as no write should."""

    def use_keys(self, keys: str) -> None:
        # It never connects.
        self._client = Client(cast(Any, None), plugins=[EncryptionPlugin(keys)])

    async def enqueue(
        self, shard: int, submissions: Sequence[Submission], entries: Sequence[str] = ()
    ) -> Enqueued:
        environment = ActivityEnvironment(self._client)
        environment.info = environment.default_info()
        environment.info.__dict__["namespace"] = self.namespace
        enqueuer = Enqueuer(self.queue_url)
        headers, records = join(submissions)
        try:
            message = EnqueueInput(shard, headers, list(entries))
            return await environment.run(enqueuer.enqueue, message, records)
        finally:
            await enqueuer.close()

    def consumers(self) -> SubmissionConsumers:
        settings = BatcherSettings(linger_seconds=0)
        meter = Runtime.default().metric_meter
        return SubmissionConsumers(
            self.queue_url,
            self.namespace,
            settings,
            self._write,
            self._probe,
            meter,
            self._client.data_converter,
        )

    async def _write(self, batch: BatchHeader, submissions: Sequence[Submission]) -> list[Verdicts]:
        ids = [one.header.submission_id for one in submissions]
        if self.failing.intersection(ids):
            raise ZeroDivisionError
        self.written += ids
        return [Verdicts(one, "w") for one in ids]

    async def _probe(self) -> None: ...

    async def expect_written(self, *ids: str) -> None:
        async def check() -> None:
            assert set(ids) <= set(self.written)

        await eventually(check)


@pytest.fixture
def worker(valkey: ValkeyServer, quick_reads: None, monkeypatch: pytest.MonkeyPatch) -> Worker:
    monkeypatch.setattr(consumers_module, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(consumers_module, "PAUSE_SECONDS", 0.05)
    return Worker(valkey.url)


@asynccontextmanager
async def consuming(worker: Worker) -> AsyncIterator[None]:
    stop = asyncio.Event()
    running = asyncio.create_task(worker.consumers().run(stop))
    try:
        yield
        assert not running.done()
    finally:
        stop.set()
        await in_time(running)


async def test_each_submission_has_an_entry_and_only_what_is_gone_is_added_again(
    worker: Worker,
) -> None:
    enqueued = await worker.enqueue(0, SENT[:2])
    assert (len(set(enqueued.entries)), enqueued.problem) == (2, "")
    again = await worker.enqueue(0, SENT, [*enqueued.entries, ""])
    assert again.entries[:2] == enqueued.entries
    stream = stream_address(worker.queue_url, worker.namespace, 0)
    assert await length(stream) == 3
    async with client_of(stream) as client:
        await client.xdel(stream.stream, again.entries[1])
    third = await worker.enqueue(0, SENT, again.entries)
    assert third.entries[::2] == again.entries[::2]
    assert third.entries[1] != again.entries[1]
    assert await length(stream) == 3
    async with consuming(worker):
        await worker.expect_written("s0", "s1", "s2")


async def test_a_stream_that_is_none_costs_only_its_own_shard(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    name = stream_name(worker.namespace, 1)
    async with client_of(stream_address(worker.queue_url, worker.namespace, 1)) as client:
        await client.set(name, "no stream")
        refused = await worker.enqueue(1, SENT[1:2])
        assert "WRONGTYPE" in refused.problem
        assert "XADD" not in refused.problem
        await worker.enqueue(0, SENT[:1])
        async with consuming(worker):
            await worker.expect_written("s0")

            async def check() -> None:
                assert [line for line in caplog.messages if "WRONGTYPE" in line]

            await eventually(check)
            await asyncio.sleep(0.2)
            await client.delete(name)
            await worker.enqueue(1, SENT[1:2])
            await worker.expect_written("s1")
    assert len([line for line in caplog.messages if "WRONGTYPE" in line]) == 1


async def allow(worker: Worker, valkey: ValkeyServer, user: str, rights: str) -> None:
    """Let a user do what docs/queues.md says, on the keys of a namespace."""
    keys = f"~batching-demo/{worker.namespace}/*"
    async with client_of(stream_address(valkey.url, worker.namespace, 0)) as client:
        login = ("ON", ">hunter2", keys)
        await client.execute_command("ACL", "SETUSER", user, "RESET", *login, *rights.split())


async def test_a_password_that_is_refused_is_waited_for(
    worker: Worker, valkey: ValkeyServer, caplog: pytest.LogCaptureFixture
) -> None:
    worker.queue_url = valkey.url.replace("//", "//requester:hunter2@")
    refused = await worker.enqueue(0, SENT[:1])
    assert "refuses the user or the password" in refused.problem
    await allow(worker, valkey, "requester", REQUESTERS_RIGHTS)
    assert (await worker.enqueue(0, SENT[:1])).problem == ""
    worker.queue_url = valkey.url.replace("//", "//worker:hunter2@")
    async with consuming(worker):

        async def check() -> None:
            assert [line for line in caplog.messages if "the user or the password" in line]

        await eventually(check)
        await allow(worker, valkey, "worker", WORKERS_RIGHTS)
        await worker.expect_written("s0")
    assert len([line for line in caplog.messages if "the user or the password" in line]) == 1
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ("", "payloads are encrypted under key 'a': add that key to BATCHING_DEMO_ENCRYPTION_KEYS"),
        (KEY_B, "payloads are encrypted under key 'a': add that key to BATCHING_DEMO_ENCRYPTION_"),
        (WRONG_A, "key 'a' of BATCHING_DEMO_ENCRYPTION_KEYS is not the one that has encrypted"),
    ],
)
async def test_a_worker_without_the_key_leaves_entries_to_others(
    worker: Worker, caplog: pytest.LogCaptureFixture, keys: str, reason: str
) -> None:
    worker.use_keys(KEY_A)
    await worker.enqueue(0, SENT[:1])
    worker.use_keys(keys)
    await worker.enqueue(0, SENT[1:2])
    stream = stream_address(worker.queue_url, worker.namespace, 0)
    async with consuming(worker):
        await worker.expect_written("s1")
        assert worker.written == ["s1"]

        async def is_given_back() -> None:
            async with client_of(stream) as client:
                claimable = await client.xpending_range(
                    stream.stream, GROUP, "-", "+", 9, idle=int(CLAIM_AFTER_SECONDS * 1000)
                )
            assert [one["times_delivered"] for one in claimable] == [1]

        await eventually(is_given_back)
        worker.use_keys(KEY_A)
        async with consuming(worker):
            await worker.expect_written("s0")
    assert await length(stream) == 0
    assert (
        len([line for line in caplog.messages if f": 1 message left to others: {reason}" in line])
        == 1
    )


async def test_a_database_that_the_server_lacks_is_refused_at_the_start(worker: Worker) -> None:
    worker.queue_url = worker.queue_url.removesuffix("0") + "999"
    with pytest.raises(QueueUnusableError, match="the server has no database 999"):
        await in_time(worker.consumers().run(asyncio.Event()))


async def test_an_error_of_our_own_ends_no_other_consumer(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    worker.failing = {"s1"}
    await worker.enqueue(1, SENT[1:2])
    async with consuming(worker):

        async def check() -> None:
            assert "the consumer of shard 1 has failed, and begins anew" in caplog.messages

        await eventually(check)
        await worker.enqueue(0, SENT[:1])
        await worker.expect_written("s0")
