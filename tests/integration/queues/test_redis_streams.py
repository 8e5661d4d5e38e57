"""A consumer's connection to a stream, on a real server, without a database."""

import asyncio
import json

import pytest

from batching_demo.batcher_service.queues.opening import look_at
from batching_demo.batcher_service.queues.source import Message
from batching_demo.queue_servers.errors import QueueAwayError, QueueError
from batching_demo.queue_servers.stream_address import (
    StreamAddress,
)
from tests.support.queues import (
    CLAIM_AFTER_SECONDS,
    add,
    claimable,
    client_of,
    deliveries,
    length,
    source_of,
)

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
        # It may be a repetition.
        assert (claimed.body, claimed.deliveries) == (b"a", 2)
        await other.give_up()
        assert await deliveries(stream) == {claimed.id: 1}


async def test_what_is_given_up_without_hurry_is_claimed_later_and_counts_no_delivery(
    stream: StreamAddress,
) -> None:
    (entry,) = await add(stream, "a")
    async with source_of(stream, claim_after_seconds=60) as holder:
        await holder.receive(ROOM)
        await holder.give_up(at_once=False)
    assert await deliveries(stream) == {entry: 1}
    async with source_of(stream, claim_after_seconds=60) as other:
        assert await other.receive(ROOM) == []


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


async def test_names_of_others_may_have_any_bytes(stream: StreamAddress) -> None:
    async with client_of(stream) as client:
        await client.xgroup_create(stream.stream, b"\xff", id="0", mkstream=True)
        await client.xgroup_create(stream.stream, "batching-demo", id="0")
        await client.xgroup_createconsumer(stream.stream, "batching-demo", b"\xfe")
    found = await look_at(str(stream), "batching-demo")
    assert [consumer.name for consumer in found.consumers or ()] == [r"\xfe"]


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
