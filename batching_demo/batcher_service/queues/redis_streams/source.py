"""A consumer's connection to a stream, as a member of a consumer group."""

import json
import logging
import os
import secrets
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from batching_demo.batcher_service.queues.redis_streams.status import stream_status
from batching_demo.batcher_service.queues.source import DELIVERIES_TOGETHER, Message
from batching_demo.batcher_service.queues.status import QueueStatus
from batching_demo.queue_servers.errors import QueueAwayError, QueueError
from batching_demo.queue_servers.stream_address import StreamAddress
from batching_demo.queue_servers.stream_client import (
    check_server,
    open_client,
    redis_errors,
)

WAIT_MILLISECONDS = 1_000
"""How long a read waits for the first message, and so a consumer that stops for its read."""
KEPT_ALIVE_IN_TIME = 3
"""Claims to itself before others may claim, so that one which is late costs no delivery."""
LOOKS_IN_TIME = 4
LONGEST_BETWEEN_LOOKS_SECONDS = 5.0
LOOKED_AT = 1_000
"""Pending entries that one look for those of dead consumers returns."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class StreamOptions:
    """How a stream is read."""

    group: str = "batching-demo"
    """The consumer group, which is made if there is none."""
    body_field: str = "body"
    """The field of an entry that is its body."""
    claim_after_seconds: float = 60.0
    """How long an entry stays with a consumer that has died."""
    deletes: bool = True
    """Whether entries are deleted once they are acked."""
    deletes_from_others: bool = False
    """Whether they are deleted even if other groups read the stream."""


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
        self._client = open_client(address)
        # Unique: the entries of a consumer that has died are claimed, whatever it was called.
        self._name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._held: dict[str, int] = {}
        """How often each held entry has been delivered, by its id."""
        self._look_at = 0.0
        self._is_checked = False
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
        with self._errors():
            client = await self._connected()
            if time.monotonic() >= self._look_at:
                await self._check_groups(client)
                claimed = await self._claim_dead(client, at_most)
                if claimed or self.has_suspects:
                    return claimed
            found = await client.xreadgroup(
                self._options.group,
                self._name,
                {self._address.stream: ">"},
                count=at_most,
                block=WAIT_MILLISECONDS,
            )
            entries = found[0][1] if found else []
            return [self._message(entry_id, fields, 1) for entry_id, fields in entries]

    async def receive_suspect(self) -> Message | None:
        """Claim one suspect."""
        with self._errors():
            client = await self._connected()
            _, suspects = await self._look(client)
            self.has_suspects = len(suspects) > 1
            first = dict(list(suspects.items())[:1])
            return next(iter(await self._claim(client, first)), None)

    async def ack(self, messages: Sequence[Message]) -> None:
        """Ack entries, and delete them unless they are kept: both or neither."""
        ids = [message.id for message in messages]
        with self._errors():
            client = await self._connected()
            async with client.pipeline(transaction=True) as both:
                both.xack(self._address.stream, self._options.group, *ids)
                if self._options.deletes:
                    both.xdel(self._address.stream, *ids)
                await both.execute()
        for one in ids:
            self._held.pop(one, None)

    async def keep_alive(self) -> None:
        """Claim the held entries to itself, which counts as no delivery."""
        await self._claim_to_itself(sorted(self._held))

    async def status(self) -> QueueStatus:
        """Return what is on the stream."""
        with self._errors():
            client = await self._connected()
            return await stream_status(client, self._address, self._options.group)

    async def give_up(self) -> None:
        """Make the held entries look as if they had never been delivered to this consumer.

        A consumer that is stopped while the database is away is no reason to suspect them.
        """
        by_deliveries: dict[int, list[str]] = {}
        for one, deliveries in sorted(self._held.items()):
            by_deliveries.setdefault(deliveries, []).append(one)
        for deliveries, ids in by_deliveries.items():
            await self._claim_to_itself(
                ids, idle=int(self._options.claim_after_seconds * 1000), retrycount=deliveries - 1
            )
        self._held.clear()

    async def close(self) -> None:
        """Leave the group unless entries are pending, and close the connections."""
        try:
            if self._is_checked and not self._held:
                await self._leave(self._client)
        finally:
            await self._client.aclose()

    async def _connected(self) -> Any:
        if not self._is_checked:
            await check_server(self._client, self._address)
            await self._make_group(self._client)
            self._is_checked = True
        return self._client

    async def _make_group(self, client: Any) -> None:
        """Make the group unless it is there. It begins with the first entry of the stream."""
        from redis.exceptions import ResponseError

        stream, group = self._address.stream, self._options.group
        try:
            await client.xgroup_create(stream, group, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
        else:
            logger.info("%s: made group %s, from the first entry on", self._address, group)

    async def _check_groups(self, client: Any) -> None:
        """Check that no other group would miss what is deleted.

        Raises:
            QueueError: There is one.
        """
        if not self._options.deletes or self._options.deletes_from_others:
            return
        groups = await client.xinfo_groups(self._address.stream)
        names = {group["name"].decode(errors="replace") for group in groups}
        if others := sorted(names - {self._options.group}):
            raise QueueError(
                f"{self._address}: acked entries would be deleted, and group {others[0]!r} reads"
                " the stream too: add --keep, or --delete if that group does not need them"
            )

    async def _claim_dead(self, client: Any, at_most: int) -> list[Message]:
        """Claim entries of consumers that have died, and note whether there are suspects."""
        pause = self._options.claim_after_seconds / LOOKS_IN_TIME
        together, suspects = await self._look(client)
        self.has_suspects = bool(suspects)
        if len(together) <= at_most:
            self._look_at = time.monotonic() + min(pause, LONGEST_BETWEEN_LOOKS_SECONDS)
        return await self._claim(client, dict(list(together.items())[:at_most]))

    async def _look(self, client: Any) -> tuple[dict[str, int], dict[str, int]]:
        """Return the entries that may be claimed, those to be written together and the suspects.

        Both have the number of deliveries so far, by id.
        """
        pending = await client.xpending_range(
            self._address.stream,
            self._options.group,
            min="-",
            max="+",
            count=LOOKED_AT,
            idle=int(self._options.claim_after_seconds * 1000),
        )
        counts = {one["message_id"].decode(): one["times_delivered"] for one in pending}
        together: dict[str, int] = {}
        suspects: dict[str, int] = {}
        for message_id, count in counts.items():
            if message_id not in self._held:
                (together if count < DELIVERIES_TOGETHER else suspects)[message_id] = count
        return together, suspects

    async def _claim(self, client: Any, counts: Mapping[str, int]) -> list[Message]:
        """Claim entries, unless others were faster."""
        if not counts:
            return []
        entries = await client.xclaim(
            self._address.stream,
            self._options.group,
            self._name,
            min_idle_time=int(self._options.claim_after_seconds * 1000),
            message_ids=list(counts),
        )
        messages = [
            self._message(entry_id, fields, counts[entry_id.decode()] + 1)
            for entry_id, fields in entries
            # Redis 6.2 returns nothing in place of an entry that somebody has deleted.
            if entry_id is not None
        ]
        if len(messages) < len(counts):
            await self._forget_deleted(client, counts.keys() - {one.id for one in messages})
        self.claimed += len(messages)
        return messages

    async def _forget_deleted(self, client: Any, ids: set[str]) -> None:
        """Ack the entries that are deleted: Redis 6.2 keeps them pending for ever."""
        stream = self._address.stream
        gone = [one for one in sorted(ids) if not await client.xrange(stream, one, one)]
        if gone:
            await client.xack(stream, self._options.group, *gone)

    async def _claim_to_itself(self, ids: list[str], **options: int) -> None:
        if not ids:
            return
        with self._errors():
            client = await self._connected()
            await client.xclaim(
                self._address.stream,
                self._options.group,
                self._name,
                min_idle_time=0,
                message_ids=ids,
                justid=True,
                **{"idle": 0, **options},
            )

    async def _leave(self, client: Any) -> None:
        """Remove this consumer from its group, so that the names of dead ones do not pile up."""
        stream, group = self._address.stream, self._options.group
        with self._errors():
            # With the consumer, its pending entries would go.
            if not await client.xpending_range(stream, group, "-", "+", 1, self._name):
                await client.xgroup_delconsumer(stream, group, self._name)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise errors of the client as ours.

        A group that is gone is made again at the next call: the server has lost its data, or
        somebody has deleted the stream.
        """
        from redis.exceptions import ResponseError

        with redis_errors(self._address):
            try:
                yield
            except ResponseError as error:
                if not str(error).startswith(("NOGROUP", "no such key")):
                    raise
                self._is_checked = False
                gone = f"{self._address}: group {self._options.group} is gone, and is made again"
                raise QueueAwayError(gone) from None

    def _message(self, entry_id: bytes, fields: Mapping[bytes, bytes], deliveries: int) -> Message:
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
