"""A network between us and Postgres that forgets connections: nobody answers, and nobody closes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import make_url

from batching_demo.devstack.ports import HOST

CHUNK = 64 * 1024


class Network:
    """Passes on what both sides send, until it forgets the connections that are open.

    Args:
        url: A database's.
    """

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self._passing: list[asyncio.Task[None]] = []
        self._writers: list[asyncio.StreamWriter] = []
        self._serves = True
        self._port = 0

    @property
    def url(self) -> str:
        """The URL of the database through this network."""
        return self._url.set(port=self._port).render_as_string(hide_password=False)

    def forget(self, *, new_ones_too: bool = False) -> None:
        """Pass on nothing more of the connections that are open."""
        self._serves = not new_ones_too
        for task in self._passing:
            task.cancel()

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Serve meanwhile."""
        server = await asyncio.start_server(self._connected, HOST, 0)
        self._port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            self.forget()
            for writer in self._writers:
                writer.close()

    async def _connected(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        self._writers.append(back)
        if not self._serves:
            return
        port = self._url.port or 5432
        server, onward = await asyncio.open_connection(self._url.host, port)
        self._writers.append(onward)
        for reader, writer in ((client, onward), (server, back)):
            self._passing.append(asyncio.create_task(_pass_on(reader, writer)))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
    except ConnectionError:
        pass
    else:
        writer.close()


@asynccontextmanager
async def forgetful_network(url: str) -> AsyncIterator[Network]:
    """Run a network in front of a database."""
    network = Network(url)
    async with network.run():
        yield network
