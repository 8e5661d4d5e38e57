"""Send verdicts and busy answers to the workflows that wait for them."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from batching_demo.batcher_service.answer_sizes import messages_of
from batching_demo.concurrency import map_some_at_once
from batching_demo.contracts.messages import SubmissionHeader, Verdicts
from batching_demo.contracts.names import VERDICTS_SIGNAL

AT_ONCE = 20
logger = logging.getLogger(__name__)


async def confirm(
    client: Client, headers: Sequence[SubmissionHeader], answers: Sequence[Verdicts]
) -> Mapping[str, int]:
    """Signal each requester all its verdicts, and count the signals by result.

    One signal is enough, unless the answers are too large for it.
    """
    by_requester: dict[str, list[Verdicts]] = {}
    for header, answer in zip(headers, answers, strict=True):
        # A malformed signal may have named nobody.
        if header.requester:
            by_requester.setdefault(header.requester, []).append(answer)
    messages = (
        (requester, message)
        for requester, mine in by_requester.items()
        for message in messages_of(mine)
    )
    return await send_to_all(client, VERDICTS_SIGNAL, messages)


async def send_to_all(
    client: Client, signal: str, messages: Iterable[tuple[str, object]]
) -> Mapping[str, int]:
    """Signal workflows, each its own messages, and count the delivered, closed and failed.

    One that cannot be reached costs the others nothing: its records are decided, and it asks
    again if it still runs.
    """

    async def send(addressed: tuple[str, object]) -> str:
        workflow_id, message = addressed
        try:
            await client.get_workflow_handle(workflow_id).signal(signal, message)
        except RPCError as error:
            return _result_of(workflow_id, error)
        return "delivered"

    return Counter(await map_some_at_once(send, messages, at_once=AT_ONCE))


def _result_of(workflow_id: str, error: RPCError) -> str:
    if error.status is RPCStatusCode.NOT_FOUND:
        logger.info("%s is closed; its records are decided", workflow_id)
        return "closed"
    logger.warning("%s not reached: %s", workflow_id, error.status.name)
    return "failed"
