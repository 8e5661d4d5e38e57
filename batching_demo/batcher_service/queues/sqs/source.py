"""A consumer's connection to an SQS queue."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from batching_demo.batcher_service.queues.source import DELIVERIES_TOGETHER, Message
from batching_demo.batcher_service.queues.sqs.requests import SqsRequests
from batching_demo.batcher_service.queues.sqs.status import queue_status
from batching_demo.batcher_service.queues.status import QueueStatus
from batching_demo.queue_servers.sqs_address import SqsAddress
from batching_demo.queue_servers.sqs_client import BATCH

VISIBILITY_SECONDS = 60
"""How long a message stays with a consumer that has died."""
KEPT_ALIVE_IN_TIME = 3
"""Extensions in that time, so that one which is late or lost costs no delivery."""
WAIT_SECONDS = 5
"""How long SQS waits for the first message."""
ATTEMPTS = 3
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
        self._requests = SqsRequests(address)
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
        found = await self._receive(min(wanted, BATCH))
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
            done, ids = await self._requests.delete({one: self._handles[one] for one in ids})
            for one in done:
                del self._handles[one]
        for one in ids:
            del self._handles[one]
        if ids:
            logger.warning("%s: %d messages not deleted, they come again", self._address, len(ids))

    async def keep_alive(self) -> None:
        """Extend the visibility timeout of all held messages."""
        await self._change_visibility(self._visibility_seconds)

    async def status(self) -> QueueStatus:
        """Return what is on the queue."""
        return await queue_status(await self._requests.client(), self._address)

    async def give_up(self, *, at_once: bool = True) -> None:
        """Make all held messages visible to others, or have them become so."""
        if at_once:
            await self._change_visibility(0)
        self._handles.clear()
        self._suspects.clear()

    async def close(self) -> None:
        """Close the connections."""
        await self._requests.close()

    async def _receive(self, at_most: int) -> list[Message]:
        visible = self._visibility_seconds
        received = await self._requests.receive(
            at_most, wait_seconds=WAIT_SECONDS, visibility_seconds=visible
        )
        return self._hold(received)

    async def _receive_more(self, at_most: int) -> list[Message]:
        visible = self._visibility_seconds
        return self._hold(await self._requests.receive_at_once(at_most, visibility_seconds=visible))

    def _hold(self, received: Sequence[Mapping[str, Any]]) -> list[Message]:
        """Take messages, but those that are held: a standard queue may deliver one again."""
        messages = []
        for one in received:
            message_id = one["MessageId"]
            is_held = message_id in self._handles
            self._handles[message_id] = one["ReceiptHandle"]
            if not is_held:
                deliveries = int(one["Attributes"]["ApproximateReceiveCount"])
                self._received_again += deliveries > 1
                body = one["Body"].encode()
                messages.append(Message(self.queue, message_id, body, deliveries))
        return messages

    async def _change_visibility(self, seconds: int) -> None:
        failed = await self._requests.change_visibility(dict(self._handles), seconds)
        # The others were deleted meanwhile.
        if codes := [code for one, code in failed.items() if one in self._handles]:
            logger.warning(
                "%s: %d messages may be delivered to others (%s)",
                self._address,
                len(codes),
                ", ".join(sorted(set(codes))),
            )
