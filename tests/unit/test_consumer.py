"""What a consumer does if messages come at awkward moments."""

import asyncio
from collections.abc import Sequence

from batching_demo.batcher_service.queues.consumer import Consumer
from batching_demo.batcher_service.queues.source import Message
from batching_demo.batcher_service.queues.status import QueueStatus
from batching_demo.contracts.batches import BatchHeader
from batching_demo.contracts.messages import Submission, Verdicts
from batching_demo.contracts.operations import BatcherSettings
from tests.support.records import record, submission
from tests.support.waiting import in_time


class TwoMessages:
    """A queue of two messages. The second one comes in the moment in which a write ends."""

    queue, place, keep_alive_seconds, has_suspects, claimed = "q", "q", 3600.0, False, 0

    def __init__(self, write_ends: asyncio.Future[None]) -> None:
        self._write_ends = write_ends
        self.received = 0
        self.acked: list[str] = []

    async def receive(self, at_most: int) -> Sequence[Message]:
        self.received += 1
        if self.received == 2:
            await self._write_ends
        if self.received > 2:
            await asyncio.sleep(0.01)
            return []
        return [Message(self.queue, f"message {self.received}", b"")]

    async def receive_suspect(self) -> Message | None:
        return None

    async def ack(self, messages: Sequence[Message]) -> None:
        self.acked += [message.id for message in messages]

    async def keep_alive(self) -> None: ...

    async def status(self) -> QueueStatus:
        raise NotImplementedError

    async def give_up(self) -> None: ...

    async def close(self) -> None: ...


async def test_a_submission_that_comes_again_while_its_write_ends_is_written_again() -> None:
    write_ends = asyncio.get_running_loop().create_future()
    source, stop = TwoMessages(write_ends), asyncio.Event()

    def read(message: Message, received_at: float) -> Sequence[Submission]:
        return [submission("s", [record("k")])]

    async def write(batch: BatchHeader, submissions: Sequence[Submission]) -> list[Verdicts]:
        await write_ends
        return [Verdicts("s", "w")]

    settings = BatcherSettings(linger_seconds=0)
    consumer = Consumer(source, settings, read, write, max_deliveries=5)
    running = asyncio.create_task(consumer.run(stop))
    while source.received < 2:
        await asyncio.sleep(0.01)
    write_ends.set_result(None)
    while len(source.acked) < 2 and not running.done():
        await asyncio.sleep(0.01)
    stop.set()
    await in_time(running)
    assert source.acked == ["message 1", "message 2"]
