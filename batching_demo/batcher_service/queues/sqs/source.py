"""A consumer's connection to an SQS queue."""

import asyncio
import logging
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from batching_demo.batcher_service.queues.source import DELIVERIES_TOGETHER, Message
from batching_demo.batcher_service.queues.sqs.status import max_receive_count, queue_status
from batching_demo.batcher_service.queues.status import QueueStatus
from batching_demo.queue_servers.sqs_address import SqsAddress
from batching_demo.queue_servers.sqs_client import BATCH, open_client, sqs_errors

VISIBILITY_SECONDS = 60
"""How long a message stays with a consumer that has died."""
KEPT_ALIVE_IN_TIME = 3
"""Extensions in that time, so that one which is late or lost costs no delivery."""
WAIT_SECONDS = 5
"""How long SQS waits for the first message."""
REQUESTS_AT_ONCE = 10
ATTEMPTS = 3
FEWEST_RECEIVES = 10
"""A message may be received twice together with one that ends its consumers, and some times more
until it is written alone. A queue should not give it up before."""
Item = TypeVar("Item")
Result = TypeVar("Result")
logger = logging.getLogger(__name__)


class SqsSource:
    """The messages of an SQS queue, and which of them this consumer holds.

    SQS does not let a consumer choose what it receives. So suspects come among other messages, and
    wait here until they can be written alone. A consumer that has just started, or has met a
    suspect, receives one message at a time: if that one ends it, no other was delivered in vain.

    Args:
        address: Of the queue.
        visibility_seconds: How long a message stays with this consumer without an extension.
    """

    def __init__(
        self, address: SqsAddress, *, visibility_seconds: int = VISIBILITY_SECONDS
    ) -> None:
        self._address = address
        self._visibility_seconds = visibility_seconds
        self._stack = AsyncExitStack()
        self._client: Any = None
        self._handles: dict[str, str] = {}
        """The newest receipt of each held message, by its id."""
        self._suspects: list[Message] = []
        self._received_again = 0
        self._is_careful = True
        """Whether to receive one message at a time."""

    @property
    def queue(self) -> str:
        """The number of the account, and the name of the queue."""
        return self._address.path.strip("/")

    @property
    def place(self) -> str:
        """The address of the queue."""
        return str(self._address)

    @property
    def keep_alive_seconds(self) -> float:
        """How often `keep_alive` has to be called."""
        return self._visibility_seconds / KEPT_ALIVE_IN_TIME

    @property
    def has_suspects(self) -> bool:
        """Whether a suspect waits here."""
        return bool(self._suspects)

    @property
    def claimed(self) -> int:
        """How many messages were received that another consumer, or this one, had before."""
        return self._received_again

    async def receive(self, at_most: int) -> Sequence[Message]:
        """Return messages, and set suspects aside. It waits for a few seconds for the first one."""
        if self._suspects:
            return []
        wanted = 1 if self._is_careful else at_most
        found = await self._receive(min(wanted, BATCH), WAIT_SECONDS)
        if len(found) == BATCH < wanted:
            # The queue is long: it has more at once.
            found += await self._receive_more(wanted - BATCH)
        self._suspects = [one for one in found if one.deliveries > DELIVERIES_TOGETHER]
        if found:
            self._is_careful = bool(self._suspects)
        return [one for one in found if one.deliveries <= DELIVERIES_TOGETHER]

    async def receive_suspect(self) -> Message | None:
        """Return one of the suspects that wait here."""
        return self._suspects.pop(0) if self._suspects else None

    async def ack(self, messages: Sequence[Message]) -> None:
        """Delete messages. One that SQS does not delete is delivered again, and is written then."""
        ids = [message.id for message in messages if message.id in self._handles]
        for _ in range(ATTEMPTS):
            failed = await _at_once([self._delete(part) for part in _parts(ids)])
            ids = [one for part in failed for one in part]
        for one in ids:
            del self._handles[one]
        if ids:
            logger.warning("%s: %d messages not deleted, they come again", self._address, len(ids))

    async def keep_alive(self) -> None:
        """Extend the visibility timeout of all held messages."""
        await self._change_visibility(self._visibility_seconds)

    async def status(self) -> QueueStatus:
        """Return what is on the queue."""
        return await queue_status(await self._connected(), self._address)

    async def give_up(self) -> None:
        """Make all held messages visible to others."""
        await self._change_visibility(0)
        self._handles.clear()
        self._suspects.clear()

    async def close(self) -> None:
        """Close the connections."""
        self._client = None
        await self._stack.aclose()

    async def _connected(self) -> Any:
        if self._client is None:
            self._client = await self._stack.enter_async_context(open_client(self._address))
            most = await max_receive_count(self._client, self._address)
            if most is not None and most < FEWEST_RECEIVES:
                logger.warning(
                    "%s gives messages up that were received %d times: set maxReceiveCount of its"
                    " redrive policy to %d or more, since workers that die receive good messages"
                    " again",
                    self._address,
                    most,
                    FEWEST_RECEIVES,
                )
        return self._client

    async def _receive(self, at_most: int, wait_seconds: int) -> list[Message]:
        client = await self._connected()
        with sqs_errors(self._address):
            answer = await client.receive_message(
                QueueUrl=self._address.url,
                MaxNumberOfMessages=at_most,
                WaitTimeSeconds=wait_seconds,
                VisibilityTimeout=self._visibility_seconds,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
        return [
            message
            for received in answer.get("Messages", [])
            if (message := self._hold(received)) is not None
        ]

    def _hold(self, received: Mapping[str, Any]) -> Message | None:
        """Take a message. A standard queue may deliver one again that is held: None."""
        message_id = received["MessageId"]
        is_held = message_id in self._handles
        self._handles[message_id] = received["ReceiptHandle"]
        if is_held:
            return None
        deliveries = int(received["Attributes"]["ApproximateReceiveCount"])
        self._received_again += deliveries > 1
        return Message(self.queue, message_id, received["Body"].encode(), deliveries)

    async def _receive_more(self, at_most: int) -> list[Message]:
        """Receive what SQS has at once. An error is left to the next call: what came is held."""
        sizes = [len(part) for part in _parts(range(at_most))][:REQUESTS_AT_ONCE]
        requests = [self._receive(size, 0) for size in sizes]
        answers = await asyncio.gather(*requests, return_exceptions=True)
        return [one for part in answers if isinstance(part, list) for one in part]

    async def _delete(self, ids: Sequence[str]) -> list[str]:
        """Delete messages, and return those for which that is worth another try."""
        client = await self._connected()
        entries = [
            {"Id": str(number), "ReceiptHandle": self._handles[one]}
            for number, one in enumerate(ids)
        ]
        with sqs_errors(self._address):
            answer = await client.delete_message_batch(QueueUrl=self._address.url, Entries=entries)
        failed = {
            int(one["Id"]) for one in answer.get("Failed", []) if not one.get("SenderFault", False)
        }
        for number, one in enumerate(ids):
            if number not in failed:
                del self._handles[one]
        return [ids[number] for number in sorted(failed)]

    async def _change_visibility(self, seconds: int) -> None:
        parts = _parts(list(self._handles.values()))
        failed = await _at_once([self._change_part(part, seconds) for part in parts])
        if codes := [code for part in failed for code in part]:
            logger.warning(
                "%s: %d messages may be delivered to others (%s)",
                self._address,
                len(codes),
                ", ".join(sorted(set(codes))),
            )

    async def _change_part(self, handles: Sequence[str], seconds: int) -> list[str]:
        """Change the visibility timeout of messages, and return the codes of those that failed."""
        client = await self._connected()
        entries = [
            {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": seconds}
            for number, handle in enumerate(handles)
        ]
        with sqs_errors(self._address):
            answer = await client.change_message_visibility_batch(
                QueueUrl=self._address.url, Entries=entries
            )
        return [one.get("Code", "").rpartition(".")[2] for one in answer.get("Failed", [])]


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
