"""Put messages on a stream."""

from collections.abc import Sequence

from batching_demo.queue_servers.stream_address import StreamAddress
from batching_demo.queue_servers.stream_client import (
    check_server,
    execute,
    open_client,
)
from batching_demo.queue_servers.stream_errors import redis_errors


class StreamSender:
    """A connection that adds entries to a stream.

    Args:
        address: Of the stream.
        body_field: The field of each entry that gets the body.
    """

    def __init__(self, address: StreamAddress, body_field: str) -> None:
        self._address = address
        self._body_field = body_field
        self._client = open_client(address)
        self._is_checked = False

    async def send(self, bodies: Sequence[bytes]) -> None:
        """Add an entry for each body, in one round trip."""
        with redis_errors(self._address):
            if not self._is_checked:
                await check_server(self._client, self._address)
                self._is_checked = True
            async with self._client.pipeline(transaction=False) as together:
                for body in bodies:
                    together.xadd(self._address.stream, {self._body_field: body})
                await execute(together)

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()
