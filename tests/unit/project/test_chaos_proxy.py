"""The proxy of scripts/chaos forwards; when told so, open connections go silent and stay open."""

import asyncio

import pytest

from batching_demo.devstack.ports import HOST
from tools.chaos.proxy import Proxy


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100):
        writer.write(data)
    writer.close()


async def test_silenced_connections_stay_open_and_new_ones_work() -> None:
    server = await asyncio.start_server(echo, HOST, 0)
    proxy = Proxy(server.sockets[0].getsockname()[1])
    port = await proxy.start()
    old, to_old = await asyncio.open_connection(HOST, port)
    to_old.write(b"one")
    assert await old.read(3) == b"one"

    assert proxy.silence() == 1
    to_old.write(b"two")
    new, to_new = await asyncio.open_connection(HOST, port)
    to_new.write(b"three")
    assert await new.read(5) == b"three"
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(old.read(3), 0.2)

    to_new.close()
    assert await new.read() == b""
    await proxy.stop()
    assert await old.read() == b""
    for writer in (to_old, to_new):
        writer.close()
        await writer.wait_closed()
    server.close()
    await server.wait_closed()
