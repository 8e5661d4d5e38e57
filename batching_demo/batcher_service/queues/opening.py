"""Open a queue by its address, whichever server has it."""

from batching_demo.batcher_service.queues.redis_streams.options import StreamOptions
from batching_demo.batcher_service.queues.redis_streams.sending import StreamSender
from batching_demo.batcher_service.queues.redis_streams.source import StreamSource
from batching_demo.batcher_service.queues.redis_streams.status import stream_status
from batching_demo.batcher_service.queues.sender import Sender
from batching_demo.batcher_service.queues.source import Source
from batching_demo.batcher_service.queues.sqs.sending import SqsSender
from batching_demo.batcher_service.queues.sqs.source import SqsSource
from batching_demo.batcher_service.queues.sqs.status import queue_status
from batching_demo.batcher_service.queues.status import QueueStatus
from batching_demo.queue_servers.sqs_address import SCHEME, SqsAddress
from batching_demo.queue_servers.sqs_client import open_client as open_sqs_client
from batching_demo.queue_servers.stream_address import StreamAddress
from batching_demo.queue_servers.stream_client import check_server, open_client


def open_source(queue: str, options: StreamOptions, endpoint_url: str | None = None) -> Source:
    """Return a consumer's connection to a queue. It connects when it is used.

    Args:
        queue: Its address.
        options: How a stream is read; SQS has nothing like them.
        endpoint_url: Where to reach SQS, if that is not the host of the queue.

    Raises:
        UserError: The address is wrong, or the package for such queues is not installed.
    """
    if queue.startswith(SCHEME):
        return SqsSource(SqsAddress.parse(queue, endpoint_url))
    return StreamSource(StreamAddress.parse(queue), options)


def open_sender(queue: str, body_field: str, endpoint_url: str | None = None) -> Sender:
    """Return a sender's connection to a queue. It connects when it is used.

    Args:
        queue: Its address.
        body_field: The field of an entry of a stream that gets the message.
        endpoint_url: Where to reach SQS, if that is not the host of the queue.

    Raises:
        UserError: The address is wrong, or the package for such queues is not installed.
    """
    if queue.startswith(SCHEME):
        return SqsSender(SqsAddress.parse(queue, endpoint_url))
    return StreamSender(StreamAddress.parse(queue), body_field)


async def look_at(queue: str, group: str, endpoint_url: str | None = None) -> QueueStatus:
    """Return what is on a queue.

    Args:
        queue: Its address.
        group: The consumer group of a stream.
        endpoint_url: Where to reach SQS, if that is not the host of the queue.

    Raises:
        UserError: The address is wrong, or the queue does not answer.
    """
    if queue.startswith(SCHEME):
        of_sqs = SqsAddress.parse(queue, endpoint_url)
        async with open_sqs_client(of_sqs) as sqs:
            return await queue_status(sqs, of_sqs)
    address = StreamAddress.parse(queue)
    client = open_client(address)
    try:
        await check_server(client, address)
        return await stream_status(client, address, group)
    finally:
        await client.aclose()
