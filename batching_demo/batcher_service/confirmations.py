"""Send verdicts to the workflows that wait for them."""

import asyncio
import logging
from collections.abc import Sequence

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from batching_demo.contracts import VERDICTS_SIGNAL, SubmissionHeader, Verdicts

AT_ONCE = 20
logger = logging.getLogger(__name__)


async def confirm(
    client: Client, headers: Sequence[SubmissionHeader], answers: Sequence[Verdicts]
) -> None:
    """Signal each requester once, with all its answers.

    A requester that cannot be reached loses nothing: its records are decided, and it asks again
    if it still runs.
    """
    requester_of = {header.submission_id: header.requester for header in headers}
    by_requester: dict[str, list[Verdicts]] = {}
    for answer in answers:
        by_requester.setdefault(requester_of[answer.submission_id], []).append(answer)
    turn = asyncio.Semaphore(AT_ONCE)

    async def send(requester: str, verdicts: list[Verdicts]) -> None:
        async with turn:
            await _signal(client, requester, verdicts)

    await asyncio.gather(*(send(*one) for one in by_requester.items()))


async def _signal(client: Client, requester: str, verdicts: list[Verdicts]) -> None:
    try:
        await client.get_workflow_handle(requester).signal(VERDICTS_SIGNAL, verdicts)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            logger.info("requester %s is closed; its records are decided", requester)
        else:
            logger.warning("requester %s not reached: %s", requester, error.status.name)
