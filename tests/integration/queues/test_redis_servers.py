"""What a consumer of a stream is told of its server: away, full, refusing, encrypted, unfit."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.exceptions import ResponseError

from batching_demo.batcher_service.queues.redis_streams.sending import StreamSender
from batching_demo.devstack.installation import find_valkey
from batching_demo.devstack.ports import find_free_port
from batching_demo.devstack.valkey import ValkeyServer
from batching_demo.queue_servers.errors import QueueAwayError, QueueError
from batching_demo.queue_servers.stream_address import (
    StreamAddress,
    StreamAddressError,
)
from batching_demo.queue_servers.stream_client import open_client
from batching_demo.queue_servers.stream_errors import redis_errors
from tests.support.certificates import Authority
from tests.support.queues import (
    add,
    client_of,
    deliveries,
    length,
    running_valkey,
    source_of,
)
from tests.support.waiting import eventually

ROOM = 10


async def test_a_server_that_is_away_is_told_from_one_that_refuses(
    valkey: ValkeyServer, stream: StreamAddress
) -> None:
    await add(stream, "a")
    async with source_of(stream) as source:
        (message,) = await source.receive(ROOM)
        valkey.kill()
        try:
            for call in (source.receive(ROOM), source.ack([message]), source.keep_alive()):
                with pytest.raises(QueueAwayError, match="does not answer"):
                    await call
        finally:
            await asyncio.to_thread(valkey.start)
        # With appendfsync always nothing is forgotten.
        assert await deliveries(stream) == {message.id: 1}
        await source.ack([message])
    async with client_of(stream) as client:
        await client.set(stream.stream, "no stream")
    async with source_of(stream) as source:
        with pytest.raises(QueueError, match="WRONGTYPE") as refused:
            await source.receive(ROOM)
    assert not isinstance(refused.value, QueueAwayError)


async def test_a_full_server_takes_no_message_now(stream: StreamAddress) -> None:
    sender = StreamSender(stream, "body")
    async with client_of(stream) as client:
        await client.config_set("maxmemory", 1)
        try:
            with pytest.raises(QueueAwayError, match="memory") as refused:
                await sender.send([b"hunter2"])
            assert "hunter2" not in str(refused.value)
        finally:
            await client.config_set("maxmemory", 0)
    await sender.send([b"a", b"b"])
    await sender.close()
    assert await length(stream) == 2


@pytest.mark.parametrize(
    ("user", "password", "said"),
    [
        ("reader", "hunter2", ""),
        ("reader", "hunter3", "refuses the user or the password"),
        ("writer", "hunter2", "may not do this"),
    ],
)
async def test_users_and_passwords(
    stream: StreamAddress, user: str, password: str, said: str
) -> None:
    reading = "+xreadgroup +xack +xdel +xclaim +xpending +xgroup +xinfo +xlen +xrange"
    rights = f"{reading} +hello +multi +exec"
    async with client_of(stream) as client:
        for name, may in (("reader", rights), ("writer", "+xadd")):
            login = ("ON", ">hunter2", f"~{stream.stream}")
            await client.execute_command("ACL", "SETUSER", name, "RESET", *login, *may.split())
    await add(stream, "a")
    text = str(stream).replace("//", f"//{user}:{password}@")
    async with source_of(StreamAddress.parse(text)) as source:
        if not said:
            await source.ack(await source.receive(ROOM))
            return
        with pytest.raises(QueueError, match=said) as refused:
            await source.receive(ROOM)
        assert "hunter" not in str(refused.value)


@pytest.fixture
async def encrypted(stream: StreamAddress, tmp_path: Path) -> AsyncIterator[tuple[str, Path]]:
    """The address of the stream over TLS, and the certificate of the authority behind it."""
    authority = Authority(tmp_path, "ours")
    issued = authority.issue("server", host="localhost")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(issued.certificate, issued.key)
    async with forwarding(stream, context) as port:
        place = f"rediss://localhost:{port}/{stream.database}/{stream.stream}"
        yield place, authority.certificate


@asynccontextmanager
async def forwarding(stream: StreamAddress, context: ssl.SSLContext) -> AsyncIterator[int]:
    """Encrypt the way to a server that cannot, at a port that this yields."""
    _, _, authority = stream.server_url.partition("//")
    host, _, port = authority.partition("/")[0].partition(":")

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        its_reader, its_writer = await asyncio.open_connection(host, int(port))

        async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            while some := await source.read(65_536):
                target.write(some)
            target.close()

        await asyncio.gather(
            copy(reader, its_writer), copy(its_reader, writer), return_exceptions=True
        )

    server = await asyncio.start_server(forward, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_an_encrypted_server_is_trusted_by_its_authority(
    stream: StreamAddress, encrypted: tuple[str, Path]
) -> None:
    await add(stream, "a")
    place, certificate = encrypted
    async with source_of(StreamAddress.parse(place)) as source:
        with pytest.raises(QueueError, match=r"not trusted .*\?ssl_ca_certs=/path"):
            await source.receive(ROOM)
    trusted = StreamAddress.parse(f"{place}?ssl_ca_certs={certificate}")
    async with source_of(trusted) as source:
        await source.ack(await source.receive(ROOM))


async def test_a_node_of_a_cluster_is_refused() -> None:
    with running_valkey(options=["--cluster-enabled", "yes"], highest_port=55_535) as node:
        async with source_of(StreamAddress.parse(f"{node.url}/orders")) as source:
            with pytest.raises(QueueError, match="server of mode cluster"):
                await source.receive(ROOM)


async def test_a_sentinel_is_refused(tmp_path: Path) -> None:
    configuration = tmp_path / "sentinel.conf"
    configuration.write_text("")
    port = find_free_port()
    options = ["--sentinel", "--bind", "127.0.0.1", "--port", str(port)]
    process = await asyncio.create_subprocess_exec(find_valkey(), configuration, *options)

    async def check() -> None:
        async with source_of(StreamAddress.parse(f"redis://127.0.0.1:{port}/0/orders")) as source:
            with pytest.raises(QueueError, match="server of mode sentinel"):
                await source.receive(ROOM)

    try:
        await eventually(check)
    finally:
        process.kill()
        await process.wait()


@pytest.mark.parametrize("option", ["ssl_ca_certz=1", "protocol=9"])
async def test_an_option_of_the_address_that_is_wrong(stream: StreamAddress, option: str) -> None:
    with pytest.raises(StreamAddressError, match=r"an option after the \? is wrong"):
        open_client(StreamAddress.parse(f"{stream}?{option}"))


async def test_another_error_of_the_server_is_quoted_without_arguments(
    stream: StreamAddress,
) -> None:
    said = "unknown command 'XFOO', with args beginning with: 'hunter2'"
    with pytest.raises(QueueError, match="unknown command 'XFOO'") as refused, redis_errors(stream):
        raise ResponseError(said)
    assert "hunter2" not in str(refused.value)
