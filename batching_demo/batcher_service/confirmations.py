"""Send verdicts and busy answers to the workflows that wait for them."""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from batching_demo.contracts.messages import SubmissionHeader, Verdicts
from batching_demo.contracts.names import VERDICTS_SIGNAL

AT_ONCE = 20
logger = logging.getLogger(__name__)


async def confirm(
    client: Client, headers: Sequence[SubmissionHeader], answers: Sequence[Verdicts]
) -> Mapping[str, int]:
    """Signal each requester once, with all its verdicts, and count the signals by result."""
    by_requester: dict[str, list[Verdicts]] = {}
    for header, answer in zip(headers, answers, strict=True):
        # A malformed signal may have named nobody.
        if header.requester:
            by_requester.setdefault(header.requester, []).append(answer)
    return await send_to_all(client, VERDICTS_SIGNAL, by_requester)


async def send_to_all(
    client: Client, signal: str, messages: Mapping[str, object]
) -> Mapping[str, int]:
    """Signal many workflows, each its own message, and count the delivered, closed and failed.

    One that cannot be reached costs the others nothing: its records are decided, and it asks
    again if it still runs.
    """
    turn = asyncio.Semaphore(AT_ONCE)

    async def send(workflow_id: str, message: object) -> str:
        async with turn:
            try:
                await client.get_workflow_handle(workflow_id).signal(signal, message)
            except RPCError as error:
                return _result_of(workflow_id, error)
        return "delivered"

    return Counter(await asyncio.gather(*(send(*one) for one in messages.items())))


def _result_of(workflow_id: str, error: RPCError) -> str:
    if error.status is RPCStatusCode.NOT_FOUND:
        logger.info("%s is closed; its records are decided", workflow_id)
        return "closed"
    logger.warning("%s not reached: %s", workflow_id, error.status.name)
    return "failed"
