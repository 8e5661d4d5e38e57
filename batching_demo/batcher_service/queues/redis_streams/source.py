"""A consumer's connection to a stream."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from batching_demo.batcher_service.queues.redis_streams.claiming import (
    Claimed,
    claim,
    claim_to_itself,
    look,
)
from batching_demo.batcher_service.queues.redis_streams.membership import Membership
from batching_demo.batcher_service.queues.redis_streams.options import StreamOptions
from batching_demo.batcher_service.queues.redis_streams.status import stream_status
from batching_demo.batcher_service.queues.source import Message
from batching_demo.batcher_service.queues.status import QueueStatus
from batching_demo.queue_servers.stream_address import StreamAddress
from batching_demo.queue_servers.stream_client import execute

WAIT_MILLISECONDS = 1_000
"""How long a read waits for the first message, and so a consumer that stops for its read."""
KEPT_ALIVE_IN_TIME = 3
"""Claims to itself before others may claim, so that one which is late costs no delivery."""
LOOKS_IN_TIME = 4
LONGEST_BETWEEN_LOOKS_SECONDS = 5.0


class StreamSource:
    """The entries of a stream, and which of them this consumer holds.

    An entry that nobody has acked for `claim_after_seconds` is claimed: its consumer has died, or
    the answer to a read got lost. A consumer that lives claims its entries to itself meanwhile.

    Args:
        address: Of the stream.
        options: How it is read.

    Raises:
        RedisMissingError: The extra `redis` is not installed.
        StreamAddressError: An option of the address is wrong.
    """

    def __init__(self, address: StreamAddress, options: StreamOptions) -> None:
        self._address = address
        self._options = options
        self._member = Membership(address, options)
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
            found = await client.xreadgroup(
                self._options.group,
                self._member.name,
                {self._address.stream: ">"},
                count=at_most,
                block=WAIT_MILLISECONDS,
            )
            entries = found[0][1] if found else []
            return [self._hold(entry_id, fields, 1) for entry_id, fields in entries]

    async def receive_suspect(self) -> Message | None:
        """Claim one suspect."""
        with self._member.errors():
            _, suspects = await look(self._member, self._held)
            self.has_suspects = len(suspects) > 1
            first = dict(list(suspects.items())[:1])
            return next(iter(self._take(await claim(self._member, first))), None)

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

    async def give_up(self) -> None:
        """Make the held entries look as if they had never been delivered to this consumer.

        A consumer that is stopped while the database is away is no reason to suspect them.
        """
        by_deliveries: dict[int, list[str]] = {}
        for one, deliveries in sorted(self._held.items()):
            by_deliveries.setdefault(deliveries, []).append(one)
        idle = int(self._options.claim_after_seconds * 1000)
        with self._member.errors():
            for deliveries, ids in by_deliveries.items():
                await claim_to_itself(self._member, ids, idle=idle, retrycount=deliveries - 1)
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
        together, suspects = await look(self._member, self._held)
        self.has_suspects = bool(suspects)
        if len(together) <= at_most:
            self._look_at = time.monotonic() + min(pause, LONGEST_BETWEEN_LOOKS_SECONDS)
        return self._take(await claim(self._member, dict(list(together.items())[:at_most])))

    def _take(self, claimed: Sequence[Claimed]) -> list[Message]:
        self.claimed += len(claimed)
        return [self._hold(*one) for one in claimed]

    def _hold(self, entry_id: bytes, fields: Mapping[bytes, bytes], deliveries: int) -> Message:
        """Hold an entry, and return it as a message."""
        name = entry_id.decode()
        self._held[name] = deliveries
        body = fields.get(self._options.body_field.encode())
        if body is not None:
            return Message(self.queue, name, body, deliveries)
        texts: Any = {
            key.decode(errors="backslashreplace"): value.decode(errors="backslashreplace")
            for key, value in fields.items()
        }
        problem = f"no_body: the entry has no field {self._options.body_field!r}"
        return Message(self.queue, name, json.dumps(texts).encode(), deliveries, problem)
