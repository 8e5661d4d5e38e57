"""Put messages on an SQS queue."""

from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

from batching_demo.contracts.limits import KIB
from batching_demo.queue_servers.errors import QueueError
from batching_demo.queue_servers.sqs_address import SqsAddress
from batching_demo.queue_servers.sqs_client import BATCH, open_client, sqs_errors

MOST_BYTES = 256 * KIB
"""In one request. SQS takes 1 MiB by now, and what stands in for it may take less."""
GROUPS = 100
"""The groups of a FIFO queue. Its messages are received in parallel, a group at a time."""


class SqsSender:
    """A connection that sends to a queue.

    Args:
        address: Of the queue.
    """

    def __init__(self, address: SqsAddress) -> None:
        self._address = address
        self._stack = AsyncExitStack()
        self._client: Any = None

    async def send(self, bodies: Sequence[bytes]) -> None:
        """Send messages, ten in a request.

        Raises:
            QueueError: SQS has not taken all of them.
        """
        if self._client is None:
            self._client = await self._stack.enter_async_context(open_client(self._address))
        for part in _requests(bodies):
            entries = [self._entry(number, body) for number, body in enumerate(part)]
            with sqs_errors(self._address):
                answer = await self._client.send_message_batch(
                    QueueUrl=self._address.url, Entries=entries
                )
            if failed := answer.get("Failed", []):
                code = str(failed[0].get("Code", "")).rpartition(".")[2]
                raise QueueError(f"{self._address}: SQS refuses {len(failed)} messages ({code})")

    async def close(self) -> None:
        """Close the connections."""
        self._client = None
        await self._stack.aclose()

    def _entry(self, number: int, body: bytes) -> dict[str, str]:
        entry = {"Id": str(number), "MessageBody": body.decode()}
        if self._address.is_fifo:
            unique = uuid4()
            entry["MessageGroupId"] = str(unique.int % GROUPS)
            entry["MessageDeduplicationId"] = str(unique)
        return entry


def _requests(bodies: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Yield bodies in parts that are small enough for one request."""
    part: list[bytes] = []
    size = 0
    for body in bodies:
        if part and (len(part) == BATCH or size + len(body) > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(body)
        size += len(body)
    if part:
        yield part
