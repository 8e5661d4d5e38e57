"""Queues of moto's server, which emulates SQS in this process."""

import json
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from uuid import uuid4

from batching_demo.queue_servers.sqs_address import SqsAddress
from batching_demo.queue_servers.sqs_client import open_client
from tests.support.waiting import eventually

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "eu-central-1",
    "AWS_CONFIG_FILE": "/nonexistent",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@contextmanager
def running_sqs() -> Iterator[str]:
    """Run the server, and give its URL."""
    # Imported here, since it takes seconds.
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    _receive_one_at_a_time()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def _receive_one_at_a_time() -> None:
    """Keep two requests that come together from receiving the same message, as they do in moto."""
    from moto.sqs.models import SQSBackend

    receive, turn = SQSBackend.receive_message, Lock()

    def patiently(
        backend: SQSBackend, queue: str, count: int, wait: int, *others: Any
    ) -> list[Any]:
        deadline = time.monotonic() + wait
        while True:
            with turn:
                found: list[Any] = receive(backend, queue, count, 0, *others)
            if found or time.monotonic() > deadline:
                return found
            time.sleep(0.05)

    if receive.__name__ != patiently.__name__:
        SQSBackend.receive_message = patiently  # type: ignore[assignment,method-assign]  # of moto


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

    async def counts(self, url: str = "") -> tuple[int, int]:
        """Return how many messages wait and how many are held."""
        answer = await self.client.get_queue_attributes(
            QueueUrl=url or self.address.url, AttributeNames=["All"]
        )
        attributes = answer["Attributes"]
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        return int(attributes[names[0]]), int(attributes[names[1]])

    async def expect_empty(self) -> None:
        """Wait until no message waits or is held."""

        async def check() -> None:
            assert await self.counts() == (0, 0)

        await eventually(check)

    async def dead_letters(self) -> int:
        """Count the messages that SQS has given up."""
        return sum(await self.counts(self.dead_letter_url))


@asynccontextmanager
async def new_queue(
    server: str, *, fifo: bool = False, max_receive_count: int = 0
) -> AsyncIterator[SqsQueue]:
    """Make a queue, maybe with a dead-letter queue."""
    name, end = f"test-{uuid4().hex[:12]}", ".fifo" if fifo else ""
    account = SqsAddress.parse(f"sqs://{server.removeprefix('http://')}/0/0", server)
    async with open_client(account) as client:
        attributes = {"FifoQueue": "true"} if fifo else {}
        dead = ""
        if max_receive_count:
            made = await client.create_queue(QueueName=f"{name}-dead{end}", Attributes=attributes)
            dead = made["QueueUrl"]
            asked = await client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
            policy = {
                "deadLetterTargetArn": asked["Attributes"]["QueueArn"],
                "maxReceiveCount": max_receive_count,
            }
            attributes = {**attributes, "RedrivePolicy": json.dumps(policy)}
        made = await client.create_queue(QueueName=f"{name}{end}", Attributes=attributes)
        url = made["QueueUrl"].removeprefix("http://")
        yield SqsQueue(client, SqsAddress.parse(f"sqs://{url}", server), dead)
