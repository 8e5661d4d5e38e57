"""A TCP proxy whose open connections can go silent, as behind a firewall that forgot them."""

import asyncio
from contextlib import suppress

from batching_demo.devstack.ports import HOST

CHUNK = 65_536
SERVER_NOTICES_AFTER = 60.0
"""Seconds until the server gives up a silent connection, as its TCP keepalives make it do."""


class Proxy:
    """Forwards connections to one port.

    Args:
        upstream_port: The port of the server, on 127.0.0.1.
    """

    def __init__(self, upstream_port: int) -> None:
        self._upstream_port = upstream_port
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._silent: list[_Connection] = []

    async def start(self) -> int:
        """Listen on a free port, and return it."""
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def silence(self) -> int:
        """Forward nothing more on open connections, close none, and return how many there are."""
        silenced = list(self._connections)
        self._connections.clear()
        for connection in silenced:
            connection.silence()
        self._silent += silenced
        return len(silenced)

    async def stop(self) -> None:
        """Close everything."""
        if self._server:
            self._server.close()
        for connection in (*self._connections, *self._silent):
            await connection.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream = await asyncio.open_connection(HOST, self._upstream_port)
        except OSError:
            writer.close()
            return
        connection = _Connection((reader, writer), upstream)
        self._connections.add(connection)
        await connection.done()
        self._connections.discard(connection)


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Connection:
    """A client and the server, each end forwarded to the other."""

    def __init__(self, client: Streams, server: Streams) -> None:
        self._writers = (client[1], server[1])
        self._pumps = [
            asyncio.create_task(_pump(client[0], server[1])),
            asyncio.create_task(_pump(server[0], client[1])),
        ]
        self._is_silent = False

    async def done(self) -> None:
        """Wait until one end closes, then close the other one too."""
        await asyncio.wait(self._pumps, return_when=asyncio.FIRST_COMPLETED)
        if not self._is_silent:
            await self.close()

    def silence(self) -> None:
        """Stop forwarding; the client's end stays open."""
        self._is_silent = True
        for pump in self._pumps:
            pump.cancel()
        asyncio.get_running_loop().call_later(SERVER_NOTICES_AFTER, self._writers[1].close)

    async def close(self) -> None:
        """Close both ends."""
        for pump in self._pumps:
            pump.cancel()
        for writer in self._writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
