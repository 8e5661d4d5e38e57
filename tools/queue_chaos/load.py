"""The messages of a run, and how they get onto the queue."""

import asyncio
import json
from typing import Any

from batching_demo.batcher_service.queues.sqs.sending import SqsSender
from batching_demo.queue_servers.errors import QueueAwayError
from batching_demo.queue_servers.sqs_address import SqsAddress
from batching_demo.queue_servers.stream_address import StreamAddress
from batching_demo.queue_servers.stream_client import open_client
from batching_demo.queue_servers.stream_errors import redis_errors

KILLER = b'{"kills": true}'
POISON = b"no JSON"
POISONS = 3
BODY_FIELD = "body"
SENT_AT_ONCE = 200
PAUSE_SECONDS = 0.2


def bodies(messages: int, *, has_killer: bool) -> list[bytes]:
    """Return the bodies of a run. Three are no JSON, and one may kill its consumer."""
    places = dict.fromkeys(range(messages - POISONS, messages), POISON)
    if has_killer:
        places[messages // 3] = KILLER
    numbers = iter(range(messages))
    return [
        places[place] if place in places else json.dumps({"n": next(numbers)}).encode()
        for place in range(messages)
    ]


async def send_to_sqs(address: SqsAddress, sent: list[bytes], seconds: float) -> None:
    """Send messages evenly over some seconds."""
    sender = SqsSender(address)
    started = asyncio.get_running_loop().time()
    try:
        for done in range(0, len(sent), SENT_AT_ONCE):
            due = started + seconds * done / len(sent)
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            await sender.send(sent[done : done + SENT_AT_ONCE])
    finally:
        await sender.close()


async def send_to_stream(address: StreamAddress, sent: list[bytes], seconds: float) -> None:
    """Add entries evenly over some seconds, each once, however often the server dies meanwhile.

    Each has an id of its own that tells its place. After a failure the stream says how far it is.
    """
    client = open_client(address)
    started = asyncio.get_running_loop().time()
    done = 0
    try:
        while done < len(sent):
            due = started + seconds * done / len(sent)
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            try:
                with redis_errors(address):
                    done = await _send(client, address.stream, sent, done)
            except QueueAwayError:
                await asyncio.sleep(PAUSE_SECONDS)
                done = await _place(client, address)
    finally:
        await client.aclose()


async def _send(client: Any, stream: str, sent: list[bytes], start: int) -> int:
    end = min(start + SENT_AT_ONCE, len(sent))
    async with client.pipeline(transaction=True) as together:
        for place in range(start, end):
            # Ids begin with 1, since 0-0 is none.
            together.xadd(stream, {BODY_FIELD: sent[place]}, id=f"{place + 1}-0")
        await together.execute()
    return end


async def _place(client: Any, address: StreamAddress) -> int:
    """Return how many entries have been added, as soon as the server says so."""
    while True:
        try:
            with redis_errors(address):
                if not await client.exists(address.stream):
                    return 0
                found = await client.xinfo_stream(address.stream)
                return int(found["last-generated-id"].split(b"-")[0])
        except QueueAwayError:
            await asyncio.sleep(PAUSE_SECONDS)
