"""What a consumer does if messages come at awkward moments."""

import asyncio
import logging
from collections.abc import Sequence

import pytest

from batching_demo.batcher_service.queues import receiving
from batching_demo.batcher_service.queues.consumer import Consumer
from batching_demo.batcher_service.queues.source import Message
from batching_demo.batcher_service.queues.status import QueueStatus
from batching_demo.batcher_service.queues.turns import SuspectTurns
from batching_demo.contracts.batches import BatchHeader
from batching_demo.contracts.messages import Submission, Verdicts
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.database.errors import DatabaseFailedError, Failure, FailureKind
from batching_demo.queue_servers.errors import QueueError
from tests.support.records import record, submission
from tests.support.waiting import in_time

AT_ONCE = BatcherSettings(linger_seconds=0)


class Queue:
    """A queue without messages."""

    queue, place, keep_alive_seconds, has_suspects, claimed = "q", "q", 3600.0, False, 0

    def __init__(self) -> None:
        self.received = 0
        self.acked: list[str] = []
        self.given_up_at_once: bool | None = None

    async def receive(self, at_most: int) -> Sequence[Message]:
        self.received += 1
        await asyncio.sleep(0.01)
        return []

    async def receive_suspect(self) -> Message | None:
        return None

    async def ack(self, messages: Sequence[Message]) -> None:
        self.acked += [message.id for message in messages]

    async def keep_alive(self) -> None: ...

    async def status(self) -> QueueStatus:
        raise NotImplementedError

    async def give_up(self, *, at_once: bool = True) -> None:
        self.given_up_at_once = at_once

    async def close(self) -> None: ...


def read(message: Message, received_at: float) -> Sequence[Submission]:
    return [submission(message.id, [record(message.id)])]


async def write(batch: BatchHeader, submissions: Sequence[Submission]) -> list[Verdicts]:
    return [Verdicts(one.header.submission_id, "w") for one in submissions]


async def probe() -> None: ...


class TwoMessages(Queue):
    """A queue of two messages. The second one comes in the moment in which a write ends."""

    def __init__(self, write_ends: asyncio.Future[None]) -> None:
        super().__init__()
        self._write_ends = write_ends

    async def receive(self, at_most: int) -> Sequence[Message]:
        if self.received > 1:
            return await super().receive(at_most)
        self.received += 1
        if self.received == 2:
            await self._write_ends
        return [Message(self.queue, f"message {self.received}", b"")]


async def test_a_submission_that_comes_again_while_its_write_ends_is_written_again() -> None:
    write_ends = asyncio.get_running_loop().create_future()
    source, stop = TwoMessages(write_ends), asyncio.Event()

    def read(message: Message, received_at: float) -> Sequence[Submission]:
        return [submission("s", [record("k")])]

    async def write(batch: BatchHeader, submissions: Sequence[Submission]) -> list[Verdicts]:
        await write_ends
        return [Verdicts("s", "w")]

    consumer = Consumer(source, AT_ONCE, read, write, probe, max_deliveries=5)
    running = asyncio.create_task(consumer.run(stop))
    while source.received < 2:
        await asyncio.sleep(0.01)
    write_ends.set_result(None)
    while len(source.acked) < 2 and not running.done():
        await asyncio.sleep(0.01)
    stop.set()
    await in_time(running)
    assert source.acked == ["message 1", "message 2"]


class Refusing(Queue):
    """A queue that takes no ack, since the user lacks a right."""

    async def receive(self, at_most: int) -> Sequence[Message]:
        return [Message(self.queue, "message", b"")]

    async def ack(self, messages: Sequence[Message]) -> None:
        raise QueueError("the user may not do this")


async def test_what_the_queue_refuses_counts_as_no_delivery() -> None:
    source = Refusing()
    consumer = Consumer(source, AT_ONCE, read, write, probe, max_deliveries=5)
    with pytest.raises(QueueError, match="the user may not do this"):
        await in_time(consumer.run(asyncio.Event()))
    assert source.given_up_at_once is False


async def test_nothing_is_received_before_the_database_takes_records(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(receiving, "PAUSE_SECONDS", 0.01)
    caplog.set_level(logging.INFO, "batching_demo")
    source, stop = Queue(), asyncio.Event()
    received_before: list[int] = []

    async def probe() -> None:
        received_before.append(source.received)
        if len(received_before) < 4:
            raise DatabaseFailedError(Failure(FailureKind.OUTAGE, "away"))

    consumer = Consumer(source, AT_ONCE, read, write, probe, max_deliveries=5)
    running = asyncio.create_task(consumer.run(stop))
    while source.received < 3 and not running.done():
        await asyncio.sleep(0.01)
    stop.set()
    await in_time(running)
    # Once it has taken some, it is trusted for a while.
    assert received_before == [0, 0, 0, 0]
    assert caplog.messages == [
        "away; trying again every 1 s",
        "the database answers again",
    ]


class Suspicious(Queue):
    """A queue with messages and suspects.

    Args:
        held: What the process holds.
        mixed: Gets what it holds whenever it has received a suspect.
    """

    def __init__(self, name: str, held: set[str], mixed: list[set[str]]) -> None:
        super().__init__()
        self._name, self._held, self._mixed = name, held, mixed
        self._messages, self._suspects = 6, 3

    @property
    def has_suspects(self) -> bool:  # type: ignore[override]  # others have none
        return self.received % 2 == 0 and self._suspects > 0

    @property
    def is_empty(self) -> bool:
        return not self._messages and not self._suspects

    def _deliver(self, kind: str, number: int, deliveries: int) -> Message:
        name = f"{kind} {number} of {self._name}"
        self._held.add(name)
        return Message(self._name, name, b"", deliveries)

    async def receive(self, at_most: int) -> Sequence[Message]:
        await super().receive(at_most)
        if not self._messages:
            return []
        self._messages -= 1
        return [self._deliver("message", self._messages, 1)]

    async def receive_suspect(self) -> Message | None:
        self._suspects -= 1
        suspect = self._deliver("suspect", self._suspects, 3)
        self._mixed.append(set(self._held))
        self.received += 1
        return suspect

    async def ack(self, messages: Sequence[Message]) -> None:
        await super().ack(messages)
        self._held -= {message.id for message in messages}


async def test_while_a_suspect_is_held_the_process_holds_nothing_else() -> None:
    held: set[str] = set()
    mixed: list[set[str]] = []
    sources = [Suspicious(name, held, mixed) for name in "abc"]
    turns, stop = SuspectTurns(), asyncio.Event()

    async def write_slowly(batch: BatchHeader, submissions: Sequence[Submission]) -> list[Verdicts]:
        ids = {one.header.submission_id for one in submissions}
        if any(one.startswith("suspect") for one in ids):
            mixed.append(set(held))
            await asyncio.sleep(0.01)
            mixed.append(set(held))
        return await write(batch, submissions)

    async with asyncio.TaskGroup() as running:
        for source in sources:
            consumer = Consumer(
                source, AT_ONCE, read, write_slowly, probe, max_deliveries=5, turns=turns
            )
            running.create_task(consumer.run(stop))
        while not all(source.is_empty for source in sources) or held:
            await asyncio.sleep(0.01)
        stop.set()
    assert [len(one) for one in mixed] == [1] * 27
    assert sorted(len(source.acked) for source in sources) == [9, 9, 9]


async def test_a_consumer_that_ends_leaves_its_turn_to_others() -> None:
    turns = SuspectTurns()

    async def failing(batch: BatchHeader, submissions: Sequence[Submission]) -> list[Verdicts]:
        raise ZeroDivisionError

    first = Suspicious("a", set(), [])
    with pytest.raises(ZeroDivisionError):
        await Consumer(first, AT_ONCE, read, failing, probe, max_deliveries=5, turns=turns).run(
            asyncio.Event()
        )
    assert not turns.are_wanted
    await in_time(turns.take())
