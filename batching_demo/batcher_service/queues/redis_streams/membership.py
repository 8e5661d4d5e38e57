"""A connection to a stream as a member of a consumer group."""

import logging
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from batching_demo.batcher_service.queues.redis_streams.options import StreamOptions
from batching_demo.queue_servers.errors import QueueAwayError, QueueError
from batching_demo.queue_servers.stream_address import StreamAddress
from batching_demo.queue_servers.stream_client import check_server, open_client
from batching_demo.queue_servers.stream_errors import redis_errors

logger = logging.getLogger(__name__)


class Membership:
    """A member of a consumer group, under a name that nobody else has.

    Args:
        address: Of the stream.
        options: How it is read.

    Raises:
        RedisMissingError: The extra `redis` is not installed.
        StreamAddressError: An option of the address is wrong.
    """

    def __init__(self, address: StreamAddress, options: StreamOptions) -> None:
        self.address = address
        self.options = options
        # Unique: the entries of a consumer that has died are claimed, whatever it was called.
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._client = open_client(address)
        self._is_checked = False

    async def client(self) -> Any:
        """Return redis-py's client, once the server is checked and the group is there."""
        if not self._is_checked:
            await check_server(self._client, self.address)
            await self._make_group()
            self._is_checked = True
        return self._client

    async def _make_group(self) -> None:
        """Make the group unless it is there. It begins with the first entry of the stream."""
        from redis.exceptions import ResponseError

        stream, group = self.address.stream, self.options.group
        try:
            await self._client.xgroup_create(stream, group, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
        else:
            logger.info("%s: made group %s, from the first entry on", self.address, group)

    async def check_groups(self) -> None:
        """Check that no other group would miss what is deleted.

        Raises:
            QueueError: There is one.
        """
        if not self.options.deletes or self.options.deletes_from_others:
            return
        groups = await self._client.xinfo_groups(self.address.stream)
        names = {group["name"].decode(errors="replace") for group in groups}
        if others := sorted(names - {self.options.group}):
            raise QueueError(
                f"{self.address}: acked entries would be deleted, and group {others[0]!r} reads"
                " the stream too: add --keep, or --delete if that group does not need them"
            )

    async def leave(self) -> None:
        """Remove this consumer from its group, so that the names of dead ones do not pile up."""
        if not self._is_checked:
            return
        stream, group = self.address.stream, self.options.group
        with self.errors():
            # With the consumer, its pending entries would go.
            if not await self._client.xpending_range(stream, group, "-", "+", 1, self.name):
                await self._client.xgroup_delconsumer(stream, group, self.name)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Raise errors of the client as ours.

        A group that is gone is made again at the next call: the server has lost its data, or
        somebody has deleted the stream.
        """
        from redis.exceptions import ResponseError

        with redis_errors(self.address):
            try:
                yield
            except ResponseError as error:
                if not str(error).startswith(("NOGROUP", "no such key")):
                    raise
                self._is_checked = False
                gone = f"{self.address}: group {self.options.group} is gone, and is made again"
                raise QueueAwayError(gone) from None
