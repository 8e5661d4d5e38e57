"""The requests that a consumer sends to SQS, ten messages in each."""

import asyncio
import logging
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from batching_demo.batcher_service.queues.sqs.status import max_receive_count
from batching_demo.queue_servers.sqs_address import SqsAddress
from batching_demo.queue_servers.sqs_client import BATCH, open_client, sqs_errors

REQUESTS_AT_ONCE = 10
FEWEST_RECEIVES = 10
"""A message may be received twice together with one that ends its consumers, and some times more
until it is written alone. A queue should not give it up before."""
Item = TypeVar("Item")
Result = TypeVar("Result")
logger = logging.getLogger(__name__)


class SqsRequests:
    """A connection to a queue.

    Args:
        address: Of the queue.
    """

    def __init__(self, address: SqsAddress) -> None:
        self.address = address
        self._stack = AsyncExitStack()
        self._client: Any = None

    async def client(self) -> Any:
        """Return the client, once the queue is found."""
        if self._client is None:
            self._client = await self._stack.enter_async_context(open_client(self.address))
            most = await max_receive_count(self._client, self.address)
            if most is not None and most < FEWEST_RECEIVES:
                logger.warning(
                    "%s gives messages up that were received %d times: set maxReceiveCount of its"
                    " redrive policy to %d or more, since workers that die receive good messages"
                    " again",
                    self.address,
                    most,
                    FEWEST_RECEIVES,
                )
        return self._client

    async def close(self) -> None:
        """Close the connections."""
        self._client = None
        await self._stack.aclose()

    async def receive(
        self, at_most: int, *, wait_seconds: int, visibility_seconds: int
    ) -> list[Mapping[str, Any]]:
        """Return up to ten messages.

        Args:
            at_most: How many.
            wait_seconds: For the first one.
            visibility_seconds: How long they stay with this consumer.
        """
        client = await self.client()
        with sqs_errors(self.address):
            answer = await client.receive_message(
                QueueUrl=self.address.url,
                MaxNumberOfMessages=at_most,
                WaitTimeSeconds=wait_seconds,
                VisibilityTimeout=visibility_seconds,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
        messages: list[Mapping[str, Any]] = answer.get("Messages", [])
        return messages

    async def receive_at_once(
        self, at_most: int, *, visibility_seconds: int
    ) -> list[Mapping[str, Any]]:
        """Return what SQS has at once, by several requests.

        An error is left to the next call: what the other requests have received is held.
        """
        sizes = [len(part) for part in _parts(range(at_most))][:REQUESTS_AT_ONCE]
        requests = [
            self.receive(size, wait_seconds=0, visibility_seconds=visibility_seconds)
            for size in sizes
        ]
        answers = await asyncio.gather(*requests, return_exceptions=True)
        return [one for part in answers if isinstance(part, list) for one in part]

    async def delete(self, handles: Mapping[str, str]) -> tuple[list[str], list[str]]:
        """Delete messages.

        Args:
            handles: Their newest receipts, by any names.

        Returns:
            The names of those that are done with, and of those that are worth another try.
        """
        answers = await _at_once([self._delete(part) for part in _parts(list(handles.items()))])
        again = [name for part in answers for name in part]
        return [name for name in handles if name not in set(again)], again

    async def _delete(self, handles: Sequence[tuple[str, str]]) -> list[str]:
        client = await self.client()
        entries = [
            {"Id": str(number), "ReceiptHandle": handle}
            for number, (_, handle) in enumerate(handles)
        ]
        with sqs_errors(self.address):
            answer = await client.delete_message_batch(QueueUrl=self.address.url, Entries=entries)
        return [
            handles[int(one["Id"])][0]
            for one in answer.get("Failed", [])
            if not one.get("SenderFault", False)
        ]

    async def change_visibility(self, handles: Mapping[str, str], seconds: int) -> dict[str, str]:
        """Change the visibility timeout of messages.

        Args:
            handles: Their newest receipts, by any names.
            seconds: From now on.

        Returns:
            The codes of those that failed, by name.
        """
        parts = _parts(list(handles.items()))
        failed = await _at_once([self._change(part, seconds) for part in parts])
        return {name: code for part in failed for name, code in part.items()}

    async def _change(self, handles: Sequence[tuple[str, str]], seconds: int) -> dict[str, str]:
        client = await self.client()
        entries = [
            {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": seconds}
            for number, (_, handle) in enumerate(handles)
        ]
        with sqs_errors(self.address):
            answer = await client.change_message_visibility_batch(
                QueueUrl=self.address.url, Entries=entries
            )
        return {
            handles[int(one["Id"])][0]: one.get("Code", "").rpartition(".")[2]
            for one in answer.get("Failed", [])
        }


def _parts(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Yield items in parts of the size of one request."""
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


async def _at_once(requests: Sequence[Awaitable[Result]]) -> list[Result]:
    """Await requests, some at a time. All end before the first error is raised."""
    turn = asyncio.Semaphore(REQUESTS_AT_ONCE)

    async def one(request: Awaitable[Result]) -> Result:
        async with turn:
            return await request

    results = await asyncio.gather(*map(one, requests), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]
