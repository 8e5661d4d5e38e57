"""What is on a stream."""

import time
from typing import Any

from batching_demo.batcher_service.queues.status import ConsumerStatus, QueueStatus
from batching_demo.queue_servers.stream_address import StreamAddress
from batching_demo.queue_servers.stream_errors import redis_errors

LOOKED_AT = 10_000
"""Pending entries that are looked at, the oldest ones."""
EARLIEST_MILLISECONDS = 10**12
"""Of an id that is a time. Whoever adds an entry may give it any other id."""


async def stream_status(client: Any, address: StreamAddress, group: str) -> QueueStatus:
    """Return what is on a stream, as a group sees it. It makes neither stream nor group.

    Raises:
        QueueAwayError: The server does not answer.
        QueueError: It refuses to.
    """
    from redis.exceptions import ResponseError

    stream = address.stream
    with redis_errors(address):
        length = await client.xlen(stream)
        try:
            groups = {_text(one["name"]): one for one in await client.xinfo_groups(stream)}
        except ResponseError as error:
            if "no such key" not in str(error):
                raise
            groups = {}
        if group not in groups:
            return QueueStatus(length, 0, await _age_of_first(client, stream, "-"), 0, [])
        found = groups[group]
        pending = await client.xpending_range(stream, group, "-", "+", LOOKED_AT)
        consumers = await client.xinfo_consumers(stream, group)
        if pending:
            oldest = _age(pending[0]["message_id"])
        else:
            after = found["last-delivered-id"].decode()
            oldest = await _age_of_first(client, stream, f"({after}")
    return QueueStatus(
        length=length,
        pending=found["pending"],
        oldest_seconds=oldest,
        redelivered=sum(one["times_delivered"] > 1 for one in pending),
        consumers=[
            ConsumerStatus(_text(one["name"]), one["pending"], one["idle"] / 1000)
            for one in sorted(consumers, key=lambda one: one["name"])
        ],
    )


def _text(name: bytes) -> str:
    """Return the name of a group or a consumer. Those of others may have any bytes."""
    return name.decode(errors="backslashreplace")


async def _age_of_first(client: Any, stream: str, start: str) -> float | None:
    """Return how long ago the first entry from a place on was added; 0 if there is none."""
    entries = await client.xrange(stream, start, "+", count=1)
    return _age(entries[0][0]) if entries else 0.0


def _age(entry_id: bytes) -> float | None:
    """Return how long ago an entry was added, by its id; None if the id is no time."""
    milliseconds = int(entry_id.partition(b"-")[0])
    if milliseconds < EARLIEST_MILLISECONDS:
        return None
    return max(0.0, time.time() - milliseconds / 1000)
