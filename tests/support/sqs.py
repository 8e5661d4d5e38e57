"""Queues of a test's own on moto's server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from batching_demo.queue_servers.sqs_address import SqsAddress
from batching_demo.queue_servers.sqs_client import open_client
from tests.support.waiting import eventually
from tools.queue_chaos.sqs_server import counts, create_queue


@dataclass
class SqsQueue:
    """A queue of a test's own, which gives a message to its dead-letter queue if asked to."""

    client: Any
    address: SqsAddress
    dead_letter_url: str = ""
    sent: list[str] = field(default_factory=list)
    """The ids of the messages."""

    async def send(self, *bodies: str) -> None:
        """Send messages; those of a FIFO queue are in ten groups."""
        for start in range(0, len(bodies), 10):
            entries = [
                {"Id": str(number), "MessageBody": body, **self._of_fifo(start + number)}
                for number, body in enumerate(bodies[start : start + 10])
            ]
            answer = await self.client.send_message_batch(
                QueueUrl=self.address.url, Entries=entries
            )
            self.sent += [one["MessageId"] for one in answer["Successful"]]

    def _of_fifo(self, number: int) -> dict[str, str]:
        if not self.address.is_fifo:
            return {}
        return {"MessageGroupId": str(number % 10), "MessageDeduplicationId": str(uuid4())}

    async def counts(self) -> tuple[int, int]:
        """Return how many messages wait and how many are held."""
        return await counts(self.client, self.address.url)

    async def expect_empty(self) -> None:
        """Wait until no message waits or is held."""

        async def check() -> None:
            assert await self.counts() == (0, 0)

        await eventually(check)

    async def dead_letters(self) -> int:
        """Count the messages that SQS has given up."""
        return sum(await counts(self.client, self.dead_letter_url))


@asynccontextmanager
async def new_queue(
    server: str, *, fifo: bool = False, max_receive_count: int = 0
) -> AsyncIterator[SqsQueue]:
    """Make a queue, maybe with a dead-letter queue."""
    name = f"test-{uuid4().hex[:12]}{'.fifo' if fifo else ''}"
    account = SqsAddress.parse(f"sqs://{server.removeprefix('http://')}/0/0", server)
    async with open_client(account) as client:
        address, dead = await create_queue(
            client, server, name, max_receive_count=max_receive_count
        )
        yield SqsQueue(client, address, dead)
