"""What is on an SQS queue."""

import json
from typing import Any

from batching_demo.batcher_service.queues.status import QueueStatus
from batching_demo.queue_servers.sqs_address import SqsAddress
from batching_demo.queue_servers.sqs_client import sqs_errors

WAITING = "ApproximateNumberOfMessages"
DELAYED = "ApproximateNumberOfMessagesDelayed"
HELD = "ApproximateNumberOfMessagesNotVisible"
REDRIVE_POLICY = "RedrivePolicy"


async def queue_status(client: Any, address: SqsAddress) -> QueueStatus:
    """Return what is on a queue. SQS counts roughly, and tells neither ages nor consumers.

    Raises:
        QueueAwayError: SQS does not answer.
        QueueError: It refuses to.
    """
    attributes = await queue_attributes(client, address, WAITING, DELAYED, HELD)
    waiting, delayed, held = (int(attributes[name]) for name in (WAITING, DELAYED, HELD))
    return QueueStatus(
        length=waiting + delayed + held,
        pending=held,
        oldest_seconds=None,
        redelivered=None,
        consumers=None,
    )


async def max_receive_count(client: Any, address: SqsAddress) -> int | None:
    """Return how often SQS delivers a message before it gives it up; None for as often as it takes.

    Raises:
        QueueAwayError: SQS does not answer.
        QueueError: It refuses to.
    """
    attributes = await queue_attributes(client, address, REDRIVE_POLICY)
    if REDRIVE_POLICY not in attributes:
        return None
    return int(json.loads(attributes[REDRIVE_POLICY])["maxReceiveCount"])


async def queue_attributes(client: Any, address: SqsAddress, *names: str) -> dict[str, str]:
    """Return attributes of a queue; it does not have all of them."""
    with sqs_errors(address):
        answer = await client.get_queue_attributes(QueueUrl=address.url, AttributeNames=list(names))
    attributes: dict[str, str] = answer.get("Attributes", {})
    return attributes
