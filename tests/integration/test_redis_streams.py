"""A consumer's connection to a stream, on a real server, without a database."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.exceptions import ResponseError

from batching_demo.batcher_service.queues.opening import look_at
from batching_demo.batcher_service.queues.redis_streams.sending import StreamSender
from batching_demo.batcher_service.queues.source import Message
from batching_demo.devstack.installation import find_valkey
from batching_demo.devstack.ports import find_free_port
from batching_demo.devstack.valkey import ValkeyServer
from batching_demo.queue_servers.errors import QueueAwayError, QueueError
from batching_demo.queue_servers.stream_address import (
    StreamAddress,
    StreamAddressError,
)
from batching_demo.queue_servers.stream_client import open_client, redis_errors
from tests.support.certificates import Authority
from tests.support.queues import (
    CLAIM_AFTER_SECONDS,
    add,
    claimable,
    client_of,
    deliveries,
    length,
    running_valkey,
    source_of,
)
from tests.support.waiting import eventually

ROOM = 10


async def test_entries_are_received_once_acked_and_deleted(stream: StreamAddress) -> None:
    first, second = await add(stream, '{"a": 1}', b"\xff")
    async with source_of(stream) as source:
        messages = await source.receive(ROOM)
        assert messages == [
            Message(stream.queue, first, b'{"a": 1}'),
            Message(stream.queue, second, b"\xff"),
        ]
        assert await source.receive(ROOM) == []
        await source.ack(messages[:1])
        assert await deliveries(stream) == {second: 1}
        await source.ack(messages[1:])
    assert await length(stream) == 0
    assert await deliveries(stream) == {}


async def test_no_more_is_received_than_there_is_room_for(stream: StreamAddress) -> None:
    await add(stream, *"abc")
    async with source_of(stream) as source:
        assert [one.body for one in await source.receive(2)] == [b"a", b"b"]
        assert len(await deliveries(stream)) == 2


async def test_a_kept_entry_is_acked_and_stays(stream: StreamAddress) -> None:
    await add(stream, "a")
    async with source_of(stream, deletes=False) as source:
        await source.ack(await source.receive(ROOM))
    assert (await deliveries(stream), await length(stream)) == ({}, 1)


async def test_an_entry_without_the_field_has_a_problem_and_all_its_fields(
    stream: StreamAddress,
) -> None:
    await add(stream, b"\xff", field="other")
    async with source_of(stream) as source:
        (message,) = await source.receive(ROOM)
    assert message.problem == "no_body: the entry has no field 'body'"
    assert json.loads(message.body) == {"other": "\\xff"}


async def test_entries_of_a_consumer_that_died_are_claimed(stream: StreamAddress) -> None:
    await add(stream, "a", "b")
    async with source_of(stream) as dead, source_of(stream) as other:
        await dead.receive(ROOM)
        assert await other.receive(ROOM) == []
        await claimable()
        claimed = list(await other.receive(1))
        assert [(one.body, one.deliveries) for one in claimed] == [(b"a", 2)]
        claimed += await other.receive(ROOM)
        assert [(one.body, one.deliveries) for one in claimed] == [(b"a", 2), (b"b", 2)]
        assert other.claimed == 2
        assert not other.has_suspects
        await other.ack(claimed)


async def test_what_a_consumer_keeps_alive_is_not_claimed_and_counts_no_delivery(
    stream: StreamAddress,
) -> None:
    (entry,) = await add(stream, "a")
    async with source_of(stream) as holder, source_of(stream) as other:
        await holder.receive(ROOM)
        for _ in range(8):
            await asyncio.sleep(CLAIM_AFTER_SECONDS / 4)
            await holder.keep_alive()
            async with client_of(stream) as client:
                group = "batching-demo"
                idle = int(CLAIM_AFTER_SECONDS * 1000)
                assert (
                    await client.xpending_range(stream.stream, group, "-", "+", 9, idle=idle) == []
                )
        assert await deliveries(stream) == {entry: 1}
        assert other.claimed == 0


async def test_what_a_consumer_gives_up_is_claimed_at_once(stream: StreamAddress) -> None:
    await add(stream, "a")
    async with (
        source_of(stream, claim_after_seconds=60) as holder,
        source_of(stream, claim_after_seconds=60) as other,
    ):
        await holder.receive(ROOM)
        await holder.give_up()
        (claimed,) = await other.receive(ROOM)
        assert (claimed.body, claimed.deliveries) == (b"a", 1)


async def test_a_suspect_is_received_by_itself_and_raises_no_other_count(
    stream: StreamAddress,
) -> None:
    entries = await add(stream, "a", "b", "c")
    for _ in range(2):
        async with source_of(stream) as dead:
            await dead.receive(2)
            await claimable()
    async with source_of(stream) as source:
        assert await source.receive(ROOM) == []
        assert source.has_suspects
        suspect = await source.receive_suspect()
        assert suspect
        assert (suspect.id, suspect.deliveries) == (entries[0], 3)
        assert await deliveries(stream) == {entries[0]: 3, entries[1]: 2}
        assert source.has_suspects
        async with source_of(stream) as other:
            second = await other.receive_suspect()
            assert second
            assert second.id == entries[1]
            assert await source.receive_suspect() is None
            assert not source.has_suspects
            await source.ack([suspect])
        assert [one.body for one in await source.receive(ROOM)] == [b"c"]


async def test_a_lost_answer_of_a_read_is_claimed_by_the_same_consumer(
    stream: StreamAddress,
) -> None:
    await add(stream, "a")
    async with source_of(stream) as source:
        await source.receive(ROOM)
        # As if the connection had broken on the way back.
        source._held.clear()
        await claimable()
        (again,) = await source.receive(ROOM)
        assert (again.body, again.deliveries) == (b"a", 2)


async def test_entries_that_others_have_deleted_do_not_stay_pending(stream: StreamAddress) -> None:
    entries = await add(stream, "a", "b")
    async with source_of(stream) as dead, source_of(stream) as other:
        await dead.receive(ROOM)
        async with client_of(stream) as client:
            await client.xdel(stream.stream, entries[0])
        await claimable()
        assert [one.body for one in await other.receive(ROOM)] == [b"b"]
        assert await deliveries(stream) == {entries[1]: 2}


async def test_a_group_that_is_gone_is_made_again_from_the_first_entry_on(
    stream: StreamAddress,
) -> None:
    async with source_of(stream) as source:
        assert await source.receive(ROOM) == []
        async with client_of(stream) as client:
            await client.delete(stream.stream)
        await add(stream, "a")
        with pytest.raises(QueueAwayError, match="group batching-demo is gone"):
            await source.receive(ROOM)
        assert [one.body for one in await source.receive(ROOM)] == [b"a"]


async def test_nothing_is_deleted_that_another_group_may_need(stream: StreamAddress) -> None:
    await add(stream, "a")
    async with client_of(stream) as client:
        await client.xgroup_create(stream.stream, "reports", id="0")
    async with source_of(stream) as source:
        with pytest.raises(QueueError, match="'reports' reads the stream too: add --keep"):
            await source.receive(ROOM)
    for options in ({"deletes": False}, {"deletes_from_others": True}):
        async with source_of(stream, **options) as source:
            await source.receive(ROOM)


async def test_a_consumer_that_ends_leaves_the_group_unless_entries_are_pending(
    stream: StreamAddress,
) -> None:
    await add(stream, "a")
    async with source_of(stream) as holder, source_of(stream) as idle:
        await holder.receive(ROOM)
        assert await idle.receive(ROOM) == []
    found = await look_at(str(stream), "batching-demo")
    assert [consumer.pending for consumer in found.consumers or ()] == [1]


async def test_the_status_says_what_is_on_the_stream(stream: StreamAddress) -> None:
    empty = await look_at(str(stream), "batching-demo")
    assert (empty.length, empty.pending, empty.oldest_seconds) == (0, 0, 0.0)
    await add(stream, "a", "b", "c")
    untouched = await look_at(str(stream), "batching-demo")
    assert (untouched.length, untouched.pending, untouched.consumers) == (3, 0, [])
    assert untouched.oldest_seconds is not None
    async with source_of(stream) as dead, source_of(stream) as source:
        await dead.receive(2)
        await claimable()
        (claimed,) = await source.receive(1)
        found = await source.status()
        assert (found.length, found.pending, found.redelivered) == (3, 2, 1)
        assert found.oldest_seconds is not None
        assert found.oldest_seconds >= CLAIM_AFTER_SECONDS
        assert sorted(one.pending for one in found.consumers or ()) == [1, 1]
        await source.ack([claimed])


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


async def test_an_option_of_the_address_that_is_wrong(stream: StreamAddress) -> None:
    with pytest.raises(StreamAddressError, match="'ssl_ca_certz'"):
        open_client(StreamAddress.parse(f"{stream}?ssl_ca_certz=1"))


async def test_another_error_of_the_server_is_quoted_without_arguments(
    stream: StreamAddress,
) -> None:
    said = "unknown command 'XFOO', with args beginning with: 'hunter2'"
    with pytest.raises(QueueError, match="unknown command 'XFOO'") as refused, redis_errors(stream):
        raise ResponseError(said)
    assert "hunter2" not in str(refused.value)
