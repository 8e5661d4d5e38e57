"""Add submissions to the streams that batcher workers consume.

The activity is a local one, on the worker of the submitting workflow. So the records appear in no
history.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from temporalio import activity

from batching_demo.contracts.encoding import pack, split
from batching_demo.contracts.errors import UserError
from batching_demo.contracts.messages import Submission
from batching_demo.contracts.names import BUSY_ANSWERS
from batching_demo.queue_servers.entries import body_of
from batching_demo.queue_servers.errors import QueueFullError
from batching_demo.queue_servers.stream_client import (
    RedisMissingError,
    check_server,
    execute,
    load_client,
    open_client,
)
from batching_demo.queue_servers.stream_errors import redis_errors
from batching_demo.queue_servers.submission_streams import (
    BODY_FIELD,
    shards_key,
    stream_address,
    stream_name,
)
from batching_demo.requester.messages import ENQUEUE_ACTIVITY, Enqueued, EnqueueInput
from batching_demo.settings import QUEUE_URL

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from batching_demo.queue_servers.stream_address import StreamAddress

NO_ENTRY = "0-0"
"""An id that no entry has."""
CONNECTIONS = 10
"""At a time."""
NO_QUEUE = f"set {QUEUE_URL} for the worker of this workflow, and for the batcher workers"


class Enqueuer:
    """Adds the messages of all workflows of one worker to the streams of their shards.

    Args:
        queue_url: The server and the database that have the streams; empty if there are none.
    """

    def __init__(self, queue_url: str) -> None:
        self._queue_url = queue_url
        self._client: Redis | None = None
        self._connecting = asyncio.Lock()
        self._turn = asyncio.Semaphore(CONNECTIONS)

    async def prepare(self) -> None:
        """Load the client before there are workflows whose tasks would wait for it."""
        if self._queue_url:
            # If it is missing, the workflows that need it say so.
            with suppress(RedisMissingError):
                await asyncio.to_thread(load_client)

    @activity.defn(name=ENQUEUE_ACTIVITY)
    async def enqueue(self, enqueue_input: EnqueueInput, records: bytes) -> Enqueued:
        """Add the submissions of a message to their stream, unless it still has their entries.

        Each gets an entry of its own. So if one of them ends the workers that write it, the queue
        counts that for this one alone.

        Args:
            enqueue_input: The headers, where they go, and where they were added before.
            records: The joined records of the submissions.
        """
        if not self._queue_url:
            return Enqueued(problem=NO_QUEUE)
        namespace, shard = activity.info().namespace, enqueue_input.shard
        try:
            address = stream_address(self._queue_url, namespace, shard)
            async with self._turn:
                client = await self._connected(address)
                with redis_errors(address):
                    submissions = split(enqueue_input.headers, records)
                    before = enqueue_input.entries or [""] * len(submissions)
                    entries = await _queued(client, address.stream, before)
                    return Enqueued(await _add(client, namespace, shard, submissions, entries))
        except QueueFullError as error:
            _count_busy(shard, len(enqueue_input.headers))
            return Enqueued(problem=str(error))
        except UserError as error:
            return Enqueued(problem=str(error))

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    async def _connected(self, address: StreamAddress) -> Redis:
        async with self._connecting:
            if self._client is None:
                client = open_client(address)
                try:
                    await check_server(client, address)
                except UserError:
                    await client.aclose()
                    raise
                self._client = client
            return self._client


async def _add(
    client: Redis,
    namespace: str,
    shard: int,
    submissions: Sequence[Submission],
    entries: Sequence[str],
) -> list[str]:
    """Add those submissions to the stream of a shard that have no entry; return all entries."""
    converter = activity.client().data_converter
    bodies = [
        await body_of(pack([one]), converter)
        for one, entry in zip(submissions, entries, strict=True)
        if not entry
    ]
    if not bodies:
        return list(entries)
    stream = stream_name(namespace, shard)
    async with client.pipeline(transaction=False) as together:
        # Batcher workers find the stream by its shard. A server that has lost its data knows none.
        together.sadd(shards_key(namespace), str(shard))
        for body in bodies:
            together.xadd(stream, {BODY_FIELD: body})
        _, *ids = await execute(together)
    added = iter(ids)
    return [entry or next(added).decode() for entry in entries]


def _count_busy(shard: int, submissions: int) -> None:
    counter = activity.metric_meter().create_counter(BUSY_ANSWERS, "Submissions answered busy.")
    counter.add(submissions, {"shard": shard})


async def _queued(client: Redis, stream: str, entries: Sequence[str]) -> list[str]:
    """Return entries, with an empty text in place of each that the stream does not have."""
    if not any(entries):
        return [""] * len(entries)
    async with client.pipeline(transaction=False) as together:
        for entry in entries:
            together.xrange(stream, entry or NO_ENTRY, entry or NO_ENTRY)
        found = await execute(together)
    return [entry if has else "" for entry, has in zip(entries, found, strict=True)]
