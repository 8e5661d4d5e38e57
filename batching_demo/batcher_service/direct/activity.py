"""The activity that any client may run, without a workflow or in one."""

from collections.abc import Awaitable, Callable, Sequence

from temporalio import activity
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from batching_demo.batcher_service.direct.request import (
    RequestError,
    answer,
    read_json,
    read_request,
)
from batching_demo.contracts.direct import INVALID_REQUEST, WRITE_RECORDS
from batching_demo.contracts.messages import Submission, Verdicts
from batching_demo.contracts.payloads import ENCODING, is_encrypted, key_missing
from batching_demo.requester.record_texts import prepare_submissions
from batching_demo.requester.records import results_of

Write = Callable[[Sequence[Submission]], Awaitable[list[Verdicts]]]
"""Writes submissions, and returns the verdicts of each."""
JSON = b"json/plain"
NO_REQUEST = RawValue(Payload(metadata={ENCODING: JSON}, data=b"null"))


class DirectActivities:
    """The activity for clients without a workflow.

    Args:
        write: Gathers the submissions of many calls.
    """

    def __init__(self, write: Write) -> None:
        self._write = write

    @activity.defn(name=WRITE_RECORDS)
    async def write_records(self, request: RawValue = NO_REQUEST) -> dict[str, object]:
        """Write the records of a request, and return the answer.

        Args:
            request: As `WRITE_RECORDS` says. It is raw: if the SDK cannot read it, the server
                repeats the activity for ever.

        Raises:
            ApplicationError: Of type `INVALID_REQUEST`: the request cannot be read.
        """
        try:
            texts = read_request(_value(request.payload), _call_id())
        except RequestError as error:
            raise ApplicationError(
                str(error),
                type=INVALID_REQUEST,
                non_retryable=True,
                category=ApplicationErrorCategory.BENIGN,
            ) from None
        answers = await self._write(prepare_submissions(texts))
        return answer(texts.digest, results_of(texts.keys, answers))


def _value(payload: Payload) -> object:
    """Return what a payload holds.

    Raises:
        RequestError: It is JSON that cannot be read.
        UndecodableError: It is encrypted, and this worker has no keys. One with the keys reads it.
    """
    if is_encrypted(payload):
        raise key_missing(payload)
    if payload.metadata.get(ENCODING) == JSON:
        return read_json(payload.data)
    return activity.payload_converter().from_payload(payload)


def _call_id() -> str:
    """Return what names this call, the same in every attempt."""
    info = activity.info()
    return f"{info.workflow_id}/{info.activity_id}" if info.in_workflow else info.activity_id
