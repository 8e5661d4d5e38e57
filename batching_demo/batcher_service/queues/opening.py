"""Open a queue by its address, whichever server has it."""

from batching_demo.batcher_service.queues.redis_streams.sending import StreamSender
from batching_demo.batcher_service.queues.redis_streams.source import StreamOptions, StreamSource
from batching_demo.batcher_service.queues.redis_streams.status import stream_status
from batching_demo.batcher_service.queues.sender import Sender
from batching_demo.batcher_service.queues.source import Source
from batching_demo.batcher_service.queues.status import QueueStatus
from batching_demo.queue_servers.stream_address import StreamAddress
from batching_demo.queue_servers.stream_client import check_server, open_client


def open_source(queue: str, options: StreamOptions) -> Source:
    """Return a consumer's connection to a queue. It connects when it is used.

    Raises:
        UserError: The address is wrong, or the package for such queues is not installed.
    """
    return StreamSource(StreamAddress.parse(queue), options)


def open_sender(queue: str, body_field: str) -> Sender:
    """Return a sender's connection to a queue. It connects when it is used.

    Raises:
        UserError: The address is wrong, or the package for such queues is not installed.
    """
    return StreamSender(StreamAddress.parse(queue), body_field)


async def look_at(queue: str, group: str) -> QueueStatus:
    """Return what is on a queue.

    Raises:
        UserError: The address is wrong, or the queue does not answer.
    """
    address = StreamAddress.parse(queue)
    client = open_client(address)
    try:
        await check_server(client, address)
        return await stream_status(client, address, group)
    finally:
        await client.aclose()
