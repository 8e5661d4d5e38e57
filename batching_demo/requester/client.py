"""Have records stored from any program, without a workflow."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

from temporalio.client import ActivityFailureError, ActivityHandle, Client
from temporalio.common import ActivityIDConflictPolicy, ActivityIDReusePolicy, RetryPolicy
from temporalio.exceptions import ActivityAlreadyStartedError, ApplicationError
from temporalio.service import RPCError

from batching_demo.contracts.direct import (
    DEFAULT_SOURCE,
    INVALID_REQUEST,
    MAX_JSON_BYTES,
    NAME_NEEDED,
    RECORDS_PER_SUBMISSION,
    WRITE_RECORDS,
    is_name,
)
from batching_demo.contracts.messages import Problem, SubmissionHeader, Verdict
from batching_demo.contracts.names import BATCHER_TASK_QUEUE
from batching_demo.contracts.targets import RECORDS_TARGET
from batching_demo.requester.direct.look_ups import LookUps
from batching_demo.requester.direct.waiting import PAUSE_SECONDS, result_of, when_not_busy
from batching_demo.requester.record_texts import RecordError, RecordTexts, record_texts
from batching_demo.requester.records import Record, RecordResult
from batching_demo.temporal.executions import MemoUnreadableError
from batching_demo.temporal.namespace_database import find_last_database

LONGEST_ATTEMPT = timedelta(minutes=10)
"""With the wait for others to share a batch with, and for a connection."""
HEARTBEAT_TIMEOUT = timedelta(seconds=20)
LARGEST_GROWTH = 12
"""Bytes of a character in JSON, at most."""
RETRY = RetryPolicy(maximum_interval=timedelta(seconds=5))
"""After a worker has died. One that meets a failing database says how long to wait."""


class BatchingClient:
    """Stores records, and returns a result for each. It needs no workflow and no batcher.

    A batcher worker gathers the requests of many clients, and writes them together. Requests may be
    made at the same time.

    Args:
        client: Of the namespace that the batcher workers serve.
        source: What rows and dead letters name as their source.
    """

    def __init__(self, client: Client, *, source: str = DEFAULT_SOURCE) -> None:
        self._client = client
        self._source = source
        self._databases = LookUps(lambda: find_last_database(client))
        self._has_keys = False

    async def write(
        self,
        records: Sequence[Record],
        *,
        target: str = RECORDS_TARGET,
        request_id: str | None = None,
    ) -> list[RecordResult]:
        """Have records stored, and return the result of each, in their order.

        A record that cannot be stored does not fail the call: its result says why, and it is kept
        as a dead letter. The call waits while the database or the worker is away.

        Args:
            records: Up to 1,000, with up to 1 MiB of keys and payloads.
            target: The name of the target that they go to.
            request_id: Names the request. A repetition under the same id gives the same results,
                while the first one runs and after it. Without it every call is another request.

        Raises:
            ApplicationError: Of type `Record`: a key is no text, or a payload is no JSON. Of type
                `InvalidRequest`: the request is too large, or its id names one with other records.
                Nothing is written of it.
            UndecodableError: The batcher workers encrypt under a key that this client lacks.
        """
        records = list(records)  # an iterator could be read only once
        if not records:
            return []
        template = SubmissionHeader("", requester="", records=0, length=0, target=target)
        try:
            labels = record_texts(records, template, RECORDS_PER_SUBMISSION).keys
            if target != RECORDS_TARGET:
                # A request has no labels: the results get them back here.
                records = [replace(record, key=None) for record in records]
            texts = record_texts(records, template, RECORDS_PER_SUBMISSION)
        except RecordError as error:
            raise ApplicationError(str(error), type="Record", non_retryable=True) from None
        await self._check_keys()
        request_id, activity_id = await self._ids(request_id)
        answer = await self._run(request_id, activity_id, texts)
        if answer["digest"] != texts.digest:
            raise _invalid(
                f"request {request_id} was made before with other records, and these are not"
                " written: give them another request id"
            )
        return [_result(at, labels[at], record) for at, record in enumerate(answer["records"])]

    async def _check_keys(self) -> None:
        """Look once whether this client can read what the batcher service has in Temporal.

        With another key, no worker could read the request, and it would wait for ever.
        """
        if not self._has_keys:
            with suppress(MemoUnreadableError, RPCError):
                await self._databases.look_up()
            self._has_keys = True

    async def _ids(self, request_id: str | None) -> tuple[str, str]:
        """Return the ids of the request and of its activity.

        Temporal keeps the answer of an activity, which is about the database of the namespace.
        """
        if request_id is None:
            return (made := str(uuid4())), made
        if not is_name(request_id):
            raise _invalid(f"request_id: {NAME_NEEDED}")
        # Before the first batcher worker has named it, a repetition would get another id.
        while (database := await when_not_busy(self._databases.look_up)) is None:
            await asyncio.sleep(PAUSE_SECONDS)
        return request_id, activity_id_of(request_id, database)

    async def _run(self, request_id: str, activity_id: str, texts: RecordTexts) -> dict[str, Any]:
        """Run the activity, or attach to the one of this id, and return its answer."""
        request = {
            "request_id": request_id,
            "source": self._source,
            "target": texts.template.target,
            "records": _records(texts),
        }
        _check_size(request, texts)
        start = partial(
            self._client.start_activity,
            WRITE_RECORDS,
            request,
            id=activity_id,
            task_queue=BATCHER_TASK_QUEUE,
            result_type=dict[str, Any],
            start_to_close_timeout=LONGEST_ATTEMPT,
            heartbeat_timeout=HEARTBEAT_TIMEOUT,
            retry_policy=RETRY,
            id_conflict_policy=ActivityIDConflictPolicy.USE_EXISTING,
            # One that was refused, terminated or cancelled has no answer: it runs again.
            id_reuse_policy=ActivityIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
            summary=f"{len(texts.keys)} records",
        )
        try:
            handle: ActivityHandle[Any] = await when_not_busy(start)
        except ActivityAlreadyStartedError:
            handle = self._client.get_activity_handle(activity_id, result_type=dict[str, Any])
        try:
            answer: dict[str, Any] = await when_not_busy(partial(result_of, handle))
        except ActivityFailureError as error:
            if isinstance(error.cause, ApplicationError):
                raise error.cause from None
            raise
        return answer


def activity_id_of(request_id: str, database: str) -> str:
    """Return the id of the activity of a request, which another database does not share."""
    return f"{request_id} in {database}"


def _invalid(message: str) -> ApplicationError:
    return ApplicationError(message, type=INVALID_REQUEST, non_retryable=True)


def _check_size(request: Mapping[str, object], texts: RecordTexts) -> None:
    """Refuse a request that Temporal would not take, or cut off with an error of its own."""
    if texts.size * LARGEST_GROWTH < MAX_JSON_BYTES:
        return
    size = len(json.dumps(request))
    if size > MAX_JSON_BYTES:
        raise _invalid(
            f"the request has {size} bytes as JSON, {MAX_JSON_BYTES} are allowed: make several"
            " requests of its records"
        )


def _records(texts: RecordTexts) -> list[dict[str, object]]:
    """Return records as a request has them. Few have more than a key and a payload."""
    pairs = zip(texts.keys, texts.payloads, strict=True)
    has_keys = texts.template.target == RECORDS_TARGET
    records: list[dict[str, object]] = [
        {"key": key, "payload": payload} if has_keys else {"payload": payload}
        for key, payload in pairs
    ]
    for name, values in (("line", texts.lines), ("rejection", texts.rejections)):
        for record, value in zip(records, values, strict=False):
            if value:
                record[name] = value
    return records


def _result(position: int, key: str, record: Mapping[str, Any]) -> RecordResult:
    problem = record["problem"]
    return RecordResult(
        key=key,
        verdict=Verdict(record["verdict"]),
        problem=Problem(position, **problem) if problem else None,
        batch_id=record["batch_id"],
        returned=record.get("returned", {}),
    )
