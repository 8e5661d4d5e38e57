"""Queues of moto's server, which emulates SQS in this process."""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from batching_demo.queue_servers.sqs_address import SqsAddress

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "eu-central-1",
    "AWS_CONFIG_FILE": "/nonexistent",
    "AWS_EC2_METADATA_DISABLED": "true",
}
LOOK_SECONDS = 0.1


@contextmanager
def running_sqs(*, patience: float = 1.0) -> Iterator[str]:
    """Run the server, and give its URL.

    Args:
        patience: The share of the asked time that it waits for messages.
    """
    # Imported here, since it takes seconds.
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    _quicken()
    _receive_one_at_a_time(patience)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def _quicken() -> None:
    """Spare moto what it does for each message of a queue at each request, and we do not need.

    Thousands of messages would take it hours.
    """
    from moto.sqs import models

    vars(models)["unix_time_millis"] = lambda: time.time() * 1000
    # None is as old as that.
    vars(models)["SQSBackend"].is_message_valid_based_on_retention_period = lambda *_: True


def _receive_one_at_a_time(patience: float) -> None:
    """Keep two requests that come together from receiving the same message, as they do in moto."""
    from moto.sqs.models import SQSBackend

    receive, turn = SQSBackend.receive_message, Lock()

    def patiently(
        backend: SQSBackend, queue: str, count: int, wait: int, *others: Any
    ) -> list[Any]:
        deadline = time.monotonic() + patience * wait
        while True:
            with turn:
                found: list[Any] = receive(backend, queue, count, 0, *others)
            if found or time.monotonic() > deadline:
                return found
            time.sleep(LOOK_SECONDS)

    if receive.__name__ != patiently.__name__:
        SQSBackend.receive_message = patiently  # type: ignore[assignment,method-assign]  # of moto


async def create_queue(
    client: Any, server: str, name: str, *, max_receive_count: int = 0
) -> tuple[SqsAddress, str]:
    """Create a queue, and return its address and the URL of its dead-letter queue.

    Args:
        client: Of SQS.
        server: The URL of the server.
        name: Of the queue; it ends with .fifo for a FIFO queue.
        max_receive_count: After so many receives it gives a message up. 0 gives none up, and makes
            no dead-letter queue.
    """
    attributes = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
    dead = ""
    if max_receive_count:
        made = await client.create_queue(QueueName=f"dead-{name}", Attributes=attributes)
        dead = made["QueueUrl"]
        asked = await client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
        arn = asked["Attributes"]["QueueArn"]
        policy = {"deadLetterTargetArn": arn, "maxReceiveCount": max_receive_count}
        attributes = {**attributes, "RedrivePolicy": json.dumps(policy)}
    made = await client.create_queue(QueueName=name, Attributes=attributes)
    url = made["QueueUrl"].removeprefix("http://")
    return SqsAddress.parse(f"sqs://{url}", server), dead


async def counts(client: Any, url: str) -> tuple[int, int]:
    """Return how many messages of a queue wait and how many are held."""
    answer = await client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    waiting, held = (int(answer["Attributes"][name]) for name in names)
    return waiting, held
