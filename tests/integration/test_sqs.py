"""SQS as moto emulates it: what a consumer receives, holds and deletes."""

from collections.abc import AsyncIterator, Iterator

import pytest

from batching_demo.batcher_service.queues.source import Message
from batching_demo.batcher_service.queues.sqs.source import SqsSource
from batching_demo.queue_servers.errors import QueueAwayError, QueueError
from batching_demo.queue_servers.sqs_address import SqsAddress
from tests.support.sqs import ENVIRONMENT, SqsQueue, new_queue, running_sqs


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_sqs() as url:
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
