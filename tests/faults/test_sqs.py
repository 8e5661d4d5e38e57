"""SQS as moto emulates it: what a consumer receives, holds and deletes."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.common import MetricMeter

from batching_demo.batcher_service.metrics import WorkerMetrics
from batching_demo.batcher_service.queues.consumer import Consumer
from batching_demo.batcher_service.queues.intake import Intake
from batching_demo.batcher_service.queues.receiving import DEFAULT_MAX_DELIVERIES
from batching_demo.batcher_service.queues.source import Message
from batching_demo.batcher_service.queues.sqs.source import SqsSource
from batching_demo.batcher_service.queues.writer import IntakeWriter
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.database.targets.registry import Targets
from batching_demo.queue_servers.errors import QueueAwayError, QueueError
from batching_demo.queue_servers.sqs_address import SqsAddress
from tests.support.commands import aside
from tests.support.database import expect_dead_letters, expect_rows, fetch
from tests.support.loading import write_ndjson
from tests.support.postgres import ChosenPostgres, stopped
from tests.support.sqs import SqsQueue, new_queue
from tests.support.waiting import eventually
from tools.queue_chaos.sqs_server import ENVIRONMENT, running_sqs


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    # A consumer that stops waits for its poll.
    with running_sqs(patience=0.05) as url:
        yield url


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
async def queue(server: str) -> AsyncIterator[SqsQueue]:
    async with new_queue(server, max_receive_count=3) as queue:
        yield queue


@pytest.fixture
async def source(queue: SqsQueue) -> AsyncIterator[SqsSource]:
    source = SqsSource(queue.address, visibility_seconds=2)
    yield source
    await source.close()


async def receive_all(source: SqsSource, number: int, room: int = 100) -> list[Message]:
    found: list[Message] = []
    while len(found) < number:
        found += await source.receive(room)
    return found


async def test_messages_are_received_and_deleted(queue: SqsQueue, source: SqsSource) -> None:
    await queue.send(*(f'{{"n": {number}}}' for number in range(45)))
    found = await receive_all(source, 45)
    assert sorted(message.id for message in found) == sorted(queue.sent)
    assert {message.deliveries for message in found} == {1}
    assert found[0].identity == f"{source.queue}/{found[0].id}"
    await source.ack(found)
    assert await queue.counts() == (0, 0)


async def test_no_more_are_received_than_there_is_room_for(
    queue: SqsQueue, source: SqsSource
) -> None:
    await queue.send(*(["{}"] * 40))
    await source.receive(23)
    assert len(await source.receive(23)) == 23
    assert (await queue.counts())[1] == 24


async def test_what_is_given_up_is_delivered_to_another(queue: SqsQueue, source: SqsSource) -> None:
    await queue.send("{}")
    await receive_all(source, 1)
    await source.give_up()
    other = SqsSource(queue.address)
    (again,) = await receive_all(other, 1)
    assert (again.id, again.deliveries) == (queue.sent[0], 2)
    await other.close()


async def test_a_suspect_waits_until_it_is_asked_for(queue: SqsQueue, source: SqsSource) -> None:
    await queue.send("{}")
    for _ in range(2):
        await receive_all(source, 1)
        await source.give_up()
    await queue.send('{"n": 1}')
    found = await receive_all(source, 1)
    while not source.has_suspects:
        found += await source.receive(100)
    assert [message.id for message in found] == queue.sent[1:]
    assert await source.receive(100) == []
    suspect = await source.receive_suspect()
    assert suspect is not None
    assert (suspect.id, suspect.deliveries) == (queue.sent[0], 3)
    assert not source.has_suspects


async def test_one_message_at_a_time_after_a_start_and_after_a_suspect(
    queue: SqsQueue, source: SqsSource
) -> None:
    await queue.send(*(["{}"] * 20))
    assert len(await source.receive(100)) == 1
    assert len(await source.receive(100)) == 19


@pytest.mark.parametrize(
    ("path", "words"),
    [("/123456789012/absent", "there is no such queue: check account, name and region")],
)
async def test_a_queue_that_is_not_there(server: str, path: str, words: str) -> None:
    host = server.removeprefix("http://")
    source = SqsSource(SqsAddress.parse(f"sqs://{host}{path}", server))
    with pytest.raises(QueueError, match=words):
        await source.receive(1)
    await source.close()


async def test_a_server_that_is_away() -> None:
    source = SqsSource(SqsAddress.parse("sqs://127.0.0.1:1/0/orders", "http://127.0.0.1:1"))
    with pytest.raises(QueueAwayError, match="does not answer"):
        await source.receive(1)
    await source.close()


@asynccontextmanager
async def consuming(
    engine: AsyncEngine, queue: SqsQueue, *, visibility_seconds: int = 30
) -> AsyncIterator[None]:
    """Have an intake worker write what is on a queue."""
    source = SqsSource(queue.address, visibility_seconds=visibility_seconds)
    settings = BatcherSettings(max_records=50, linger_seconds=0.2)
    intake, metrics = Intake(), WorkerMetrics(MetricMeter.noop)
    writer = IntakeWriter(engine, Targets(), metrics, intake, settings.max_in_flight)
    consumer = Consumer(
        source,
        settings,
        intake.submissions_of,
        writer.write,
        writer.probe,
        max_deliveries=DEFAULT_MAX_DELIVERIES,
    )
    stop = asyncio.Event()
    running = asyncio.create_task(consumer.run(stop))
    try:
        yield
    finally:
        stop.set()
        await running
        await source.close()


async def test_an_outage_fills_no_dead_letter_queue(
    mortal_engine: AsyncEngine,
    queue: SqsQueue,
    spare_postgres: ChosenPostgres,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await queue.send(*(f'{{"n": {number}}}' for number in range(30)))
    visibility_seconds = 3
    async with consuming(mortal_engine, queue, visibility_seconds=visibility_seconds):
        async with stopped(spare_postgres):
            await queue.send(*(f'{{"n": {number}}}' for number in range(30, 60)))
            outlives = asyncio.create_task(asyncio.sleep(1.5 * visibility_seconds))
            for restarts in range(4):
                async with consuming(mortal_engine, queue):
                    await eventually(partial(expect_waiting, caplog, restarts + 1))
            await outlives
            other = SqsSource(queue.address)
            while found := await other.receive(100):
                # What the consumer holds is delivered to no other, and those that were started in
                # the outage have received nothing.
                assert {message.deliveries for message in found} == {1}
            await other.give_up()
            await other.close()
        await expect_rows(mortal_engine, 60)
        await queue.expect_empty()
    assert await queue.dead_letters() == 0
    stored = await fetch(mortal_engine, "SELECT count(*), min(write_path) FROM records")
    assert stored == [(60, "queued")]


async def expect_waiting(caplog: pytest.LogCaptureFixture, consumers: int) -> None:
    """Wait until so many consumers have found the database away before they received anything."""
    assert len([line for line in caplog.messages if "trying again every" in line]) >= consumers


async def test_poison_becomes_dead_letters_and_its_neighbours_rows(
    engine: AsyncEngine, queue: SqsQueue
) -> None:
    await queue.send(*(f'{{"n": {number}}}' for number in range(97)))
    await queue.send("no object", '{"n": "\\u0000"}', "[1]")
    async with consuming(engine, queue):
        await expect_rows(engine, 97)
        await expect_dead_letters(engine, 3)
        await queue.expect_empty()
    assert await queue.dead_letters() == 0


async def test_the_groups_of_a_fifo_queue_are_read(server: str, engine: AsyncEngine) -> None:
    async with new_queue(server, fifo=True) as queue:
        await queue.send(*(f'{{"n": {number}}}' for number in range(40)))
        async with consuming(engine, queue):
            await expect_rows(engine, 40)
            await queue.expect_empty()


@pytest.mark.usefixtures("on_servers")
async def test_the_commands_of_the_intake(
    server: str, engine: AsyncEngine, queue: SqsQueue, tmp_path: Path
) -> None:
    file = write_ndjson(tmp_path / "some.ndjson", ({"n": number} for number in range(25)))
    there = ("--endpoint-url", server)
    sent = await aside("intake", "send", str(file), "--to", str(queue.address), *there)
    assert (sent.exit_code, sent.stdout) == (0, "25 messages sent\n"), sent.output
    status = await aside("intake", "status", "--from", str(queue.address), *there, "--json")
    found = json.loads(status.stdout)
    assert (found["length"], found["pending"], found["oldest_seconds"]) == (25, 0, None)
    async with consuming(engine, queue):
        await expect_rows(engine, 25)
        await queue.expect_empty()


async def test_what_is_deleted_while_visibility_is_extended_is_not_missed(
    queue: SqsQueue,
    source: SqsSource,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await queue.send("{}", "{}")
    first, second = await receive_all(source, 2)
    change = source._requests.change_visibility

    async def late(handles: Mapping[str, str], seconds: int) -> dict[str, str]:
        await source.ack([first])
        return await change(handles, seconds)

    monkeypatch.setattr(source._requests, "change_visibility", late)
    await source.keep_alive()
    assert caplog.text == ""
    await queue.client.delete_message(
        QueueUrl=queue.address.url, ReceiptHandle=source._handles[second.id]
    )
    await source.keep_alive()
    assert "1 messages may be delivered to others" in caplog.text
