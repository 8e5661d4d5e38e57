"""Check the queue of the write path `queued`."""

import asyncio

from batching_demo.contracts.counts import count
from batching_demo.contracts.errors import UserError
from batching_demo.doctor.check import Check, ok, problem
from batching_demo.operator.queue import SubmissionQueue, look_at_queue
from batching_demo.settings import QUEUE_URL, Settings
from batching_demo.temporal.target import choose_temporal

QUEUE = "queue"
ANSWER_SECONDS = 10.0


async def check_queue(settings: Settings) -> list[Check]:
    """Check the server, its settings, and whether somebody consumes. Without a queue: nothing."""
    if not settings.queue_url:
        return []
    try:
        namespace = choose_temporal(settings).namespace
        async with asyncio.timeout(ANSWER_SECONDS):
            return [_check(await look_at_queue(settings.queue_url, namespace))]
    except TimeoutError:
        return [problem(QUEUE, f"no answer within {ANSWER_SECONDS:.0f} s: check {QUEUE_URL}")]
    except UserError as error:
        return [problem(QUEUE, str(error))]


def _check(found: SubmissionQueue) -> Check:
    waiting = count(found.length, "message")
    if found.evicts:
        return problem(
            QUEUE,
            f"{found.place}: the server drops what it holds by {found.evicts}: set its"
            " maxmemory-policy to noeviction",
        )
    if not found.is_consumed:
        return problem(
            QUEUE,
            f"{found.place}: {waiting}, and no batcher worker consumes: start `batching-demo"
            f" batcher worker` with {QUEUE_URL}",
        )
    return ok(QUEUE, f"{found.place}: {waiting}, {count(len(found.streams), 'stream')}")
