"""A consumer's connection to a stream."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from batching_demo.batcher_service.queues.redis_streams.claiming import (
    claim,
    claim_to_itself,
    give_back,
    look,
)
from batching_demo.batcher_service.queues.redis_streams.delivered import Delivered
from batching_demo.batcher_service.queues.redis_streams.membership import Membership
from batching_demo.batcher_service.queues.redis_streams.options import StreamOptions
from batching_demo.batcher_service.queues.redis_streams.status import stream_status
from batching_demo.batcher_service.queues.redis_streams.unreadable import Unreadable
from batching_demo.batcher_service.queues.source import Message
from batching_demo.batcher_service.queues.status import QueueStatus
from batching_demo.contracts.payloads import UndecodableError
from batching_demo.queue_servers.stream_address import StreamAddress
from batching_demo.queue_servers.stream_client import execute

WAIT_MILLISECONDS = 1_000
"""How long a read waits for the first message, and so a consumer that stops for its read."""
KEPT_ALIVE_IN_TIME = 3
"""Claims to itself before others may claim, so that one which is late costs no delivery."""
LOOKS_IN_TIME = 4
LONGEST_BETWEEN_LOOKS_SECONDS = 5.0
Decrypt = Callable[[bytes], Awaitable[bytes]]
"""Returns what an encrypted body holds, and raises an `UndecodableError` if it lacks the key."""


class StreamSource:
    """The entries of a stream, and which of them this consumer holds.

    An entry that nobody has acked for `claim_after_seconds` is claimed: its consumer has died, or
    the answer to a read got lost. A consumer that lives claims its entries to itself meanwhile.

    Args:
        address: Of the stream.
        options: How it is read.
        decrypt: Decrypts bodies; None if they are not encrypted.

    Raises:
        RedisMissingError: The extra `redis` is not installed.
        StreamAddressError: An option of the address is wrong.
    """

    def __init__(
        self, address: StreamAddress, options: StreamOptions, decrypt: Decrypt | None = None
    ) -> None:
        self._address = address
        self._options = options
        self._decrypt = decrypt
        self._member = Membership(address, options)
        self._unreadable = Unreadable(self._member)
        self._held: dict[str, int] = {}
        """How often each held entry has been delivered, by its id."""
        self._look_at = 0.0
        self.has_suspects = False
        """Whether a suspect waits."""
        self.claimed = 0
        """Messages of other consumers that were claimed so far."""

    @property
    def queue(self) -> str:
        """The number of the database, and the name of the stream."""
        return self._address.queue

    @property
    def place(self) -> str:
        """The address without user and password."""
        return self._address.place

    @property
    def keep_alive_seconds(self) -> float:
        """How often `keep_alive` has to be called."""
        return self._options.claim_after_seconds / KEPT_ALIVE_IN_TIME

    async def receive(self, at_most: int) -> Sequence[Message]:
        """Return claimed messages, or else new ones. It waits for a second for the first one."""
        with self._member.errors():
            client = await self._member.client()
            if time.monotonic() >= self._look_at:
                await self._member.check_groups()
                claimed = await self._claim_dead(at_most)
                if claimed or self.has_suspects:
                    return claimed
            self._unreadable.report()
            if self._unreadable.are_many:
                await asyncio.sleep(WAIT_MILLISECONDS / 1000)
                return []
            found = await client.xreadgroup(
                self._options.group,
                self._member.name,
                {self._address.stream: ">"},
                count=at_most,
                block=WAIT_MILLISECONDS,
            )
            entries = found[0][1] if found else []
            return await self._take([Delivered(name, fields, 1) for name, fields in entries])

    async def receive_suspect(self) -> Message | None:
        """Claim one suspect."""
        with self._member.errors():
            _, suspects = await self._look()
            self.has_suspects = len(suspects) > 1
            first = dict(list(suspects.items())[:1])
            return next(iter(await self._take_over(first)), None)

    async def ack(self, messages: Sequence[Message]) -> None:
        """Ack entries, and delete them unless they are kept: both or neither."""
        ids = [message.id for message in messages]
        with self._member.errors():
            client = await self._member.client()
            async with client.pipeline(transaction=True) as both:
                both.xack(self._address.stream, self._options.group, *ids)
                if self._options.deletes:
                    both.xdel(self._address.stream, *ids)
                await execute(both)
        for one in ids:
            self._held.pop(one, None)

    async def keep_alive(self) -> None:
        """Claim the held entries to itself, which counts as no delivery."""
        with self._member.errors():
            await claim_to_itself(self._member, sorted(self._held))

    async def status(self) -> QueueStatus:
        """Return what is on the stream."""
        with self._member.errors():
            client = await self._member.client()
            return await stream_status(client, self._address, self._options.group)

    async def give_up(self, *, at_once: bool = True) -> None:
        """Give the held entries back, which takes their last delivery back too.

        A consumer that is stopped while the database is away is no reason to suspect them.
        """
        with self._member.errors():
            await give_back(self._member, self._held, at_once=at_once)
        self._held.clear()

    async def close(self) -> None:
        """Leave the group unless entries are pending, and close the connections."""
        try:
            if not self._held:
                await self._member.leave()
        finally:
            await self._member.close()

    async def _claim_dead(self, at_most: int) -> list[Message]:
        """Claim entries of consumers that have died, and note whether there are suspects."""
        pause = self._options.claim_after_seconds / LOOKS_IN_TIME
        together, suspects = await self._look()
        self.has_suspects = bool(suspects)
        if len(together) <= at_most:
            self._look_at = time.monotonic() + min(pause, LONGEST_BETWEEN_LOOKS_SECONDS)
        return await self._take_over(dict(list(together.items())[:at_most]))

    async def _look(self) -> tuple[dict[str, int], dict[str, int]]:
        together, suspects = await look(self._member, self._held)
        self._unreadable.pass_over(together, suspects)
        return together, suspects

    async def _take_over(self, counts: Mapping[str, int]) -> list[Message]:
        messages = await self._take(await claim(self._member, counts))
        self.claimed += len(messages)
        return messages

    async def _take(self, delivered: Sequence[Delivered]) -> list[Message]:
        """Hold entries, and return them as messages. Leave those that cannot be read to others."""
        messages = []
        unreadable, reason = dict[str, int](), ""
        for one in delivered:
            message = one.as_message(self.queue, self._options.body_field)
            try:
                messages.append(await self._decrypted(message))
            except UndecodableError as error:
                unreadable[message.id], reason = message.deliveries, str(error)
            else:
                self._held[message.id] = message.deliveries
        if unreadable:
            await self._unreadable.leave(unreadable, reason)
        return messages

    async def _decrypted(self, message: Message) -> Message:
        if self._decrypt is None or message.problem:
            return message
        return replace(message, body=await self._decrypt(message.body))
