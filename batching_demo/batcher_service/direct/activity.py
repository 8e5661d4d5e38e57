"""The activity that any client may run, without a workflow or in one."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from batching_demo.batcher_service.direct.request import RequestError, answer, read_request
from batching_demo.contracts.direct import INVALID_REQUEST, WRITE_RECORDS
from batching_demo.contracts.messages import Submission, Verdicts
from batching_demo.requester.record_texts import prepare_submissions
from batching_demo.requester.records import results_of

Write = Callable[[Sequence[Submission]], Awaitable[list[Verdicts]]]
"""Writes submissions, and returns the verdicts of each."""


class DirectActivities:
    """The activity for clients without a workflow.

    Args:
        write: Gathers the submissions of many calls.
    """

    def __init__(self, write: Write) -> None:
        self._write = write

    @activity.defn(name=WRITE_RECORDS)
    async def write_records(self, request: Any = None) -> dict[str, object]:
        """Write the records of a request, and return the answer.

        Args:
            request: As `WRITE_RECORDS` says.

        Raises:
            ApplicationError: Of type `INVALID_REQUEST`: the request cannot be read.
        """
        try:
            texts = read_request(request, _call_id())
        except RequestError as error:
            raise ApplicationError(
                str(error),
                type=INVALID_REQUEST,
                non_retryable=True,
                category=ApplicationErrorCategory.BENIGN,
            ) from None
        answers = await self._write(prepare_submissions(texts))
        return answer(texts.digest, results_of(texts.keys, answers))


def _call_id() -> str:
    """Return what names this call, the same in every attempt."""
    info = activity.info()
    return f"{info.workflow_id}/{info.activity_id}" if info.in_workflow else info.activity_id
