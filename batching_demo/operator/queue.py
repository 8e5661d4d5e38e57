"""Look at the streams in which submissions travel."""

from dataclasses import dataclass

from batching_demo.batcher_service.queues.redis_streams.status import stream_status
from batching_demo.batcher_service.queues.status import QueueStatus
from batching_demo.contracts.names import COMMON_SHARD
from batching_demo.queue_servers.stream_client import check_server, open_client
from batching_demo.queue_servers.stream_errors import redis_errors
from batching_demo.queue_servers.submission_streams import (
    GROUP,
    shards_key,
    shards_of,
    stream_address,
)

NO_EVICTION = "noeviction"
LIVE_SECONDS = 15.0
"""A worker that lives reads again and again. One that has just been killed still counts."""


@dataclass(frozen=True)
class SubmissionQueue:
    """The streams of a namespace."""

    place: str
    """The server, and the stream of shard 0."""
    streams: dict[int, QueueStatus]
    """By shard."""
    evicts: str
    """The policy by which the server drops what it holds; empty if it drops nothing."""

    @property
    def is_consumed(self) -> bool:
        """Whether a batcher worker consumes the stream of shard 0, which all of them do."""
        consumers = self.streams[COMMON_SHARD].consumers or ()
        return any(one.idle_seconds < LIVE_SECONDS for one in consumers)

    @property
    def length(self) -> int:
        """Messages on all streams."""
        return sum(status.length for status in self.streams.values())


async def look_at_queue(queue_url: str, namespace: str) -> SubmissionQueue:
    """Return what is on the streams of a namespace.

    Raises:
        UserError: The URL is wrong, or the server does not answer, or it cannot be used.
    """
    common = stream_address(queue_url, namespace, COMMON_SHARD)
    client = open_client(common)
    try:
        await check_server(client, common)
        with redis_errors(common):
            known = await client.smembers(shards_key(namespace))
            memory = await client.info("memory")
        streams = {}
        for shard in sorted({COMMON_SHARD, *shards_of(known)}):
            address = stream_address(queue_url, namespace, shard)
            streams[shard] = await stream_status(client, address, GROUP)
    finally:
        await client.aclose()
    policy = str(memory.get("maxmemory_policy", NO_EVICTION))
    return SubmissionQueue(common.place, streams, "" if policy == NO_EVICTION else policy)
