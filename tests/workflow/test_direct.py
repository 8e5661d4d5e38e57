"""Records that clients have written without a workflow, on real servers."""

import asyncio
import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.common.v1 import Payload
from temporalio.client import ActivityFailureError, Client
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from batching_demo import BatchingClient, Record, Verdict
from batching_demo.contracts.direct import INVALID_REQUEST, WRITE_RECORDS
from batching_demo.contracts.names import BATCHER_TASK_QUEUE
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.requester.client import LONGEST_ATTEMPT
from tests.support.database import fetch, rows
from tests.support.services import batcher_service
from tests.support.waiting import eventually, in_time

SOON = BatcherSettings(linger_seconds=0.2)
FAR_AWAY = BatcherSettings(max_records=3, linger_seconds=600)


def numbered(*numbers: int) -> list[Record]:
    return [Record(f"k{number}", {"number": number}) for number in numbers]


async def run_activity(
    client: Client, request: object, attempt_may_take: timedelta = LONGEST_ATTEMPT
) -> Any:
    """Run the activity with plain JSON, as a client in any language does."""
    return await client.execute_activity(
        WRITE_RECORDS,
        request,
        id=str(uuid4()),
        task_queue=BATCHER_TASK_QUEUE,
        start_to_close_timeout=attempt_may_take,
    )


async def test_requests_of_many_callers_share_a_batch(client: Client, engine: AsyncEngine) -> None:
    batching = BatchingClient(client, source="callers")
    async with batcher_service(client, engine, FAR_AWAY):
        answers = await asyncio.gather(*(batching.write(numbered(number)) for number in range(3)))
    assert [[result.verdict for result in answer] for answer in answers] == [["written"]] * 3
    assert await fetch(engine, "SELECT DISTINCT source, batch_id IS NOT NULL FROM records") == [
        ("callers", True)
    ]
    assert len({answer[0].batch_id for answer in answers}) == 1


async def test_each_record_has_its_own_result(client: Client, engine: AsyncEngine) -> None:
    batching = BatchingClient(client)
    async with batcher_service(client, engine, SOON):
        await batching.write(numbered(1, 2))
        records = [*numbered(1), Record("k2", {"other": True}), Record("k3", "[]"), *numbered(4)]
        # An iterator, which has them once, does too.
        results = await batching.write(iter(records))  # type: ignore[arg-type]
    verdicts = [Verdict.DUPLICATE, Verdict.CONFLICT, Verdict.REJECTED, Verdict.WRITTEN]
    assert [(result.key, result.verdict) for result in results] == [
        (record.key, verdict) for record, verdict in zip(records, verdicts, strict=True)
    ]
    assert results[2].problem
    assert results[2].problem.reason == "not_an_object"


async def test_a_repeated_request_has_the_same_results(client: Client, engine: AsyncEngine) -> None:
    batching = BatchingClient(client)
    async with batcher_service(client, engine, SOON):
        first, at_once = await asyncio.gather(
            *(batching.write(numbered(1, 2), request_id="one") for _ in range(2))
        )
        later = await batching.write(numbered(1, 2), request_id="one")
        assert first == at_once == later
        assert [result.verdict for result in first] == [Verdict.WRITTEN] * 2
        with pytest.raises(ApplicationError, match="made before with other records"):
            await batching.write(numbered(3), request_id="one")
    assert await rows(engine) == 2


async def test_a_request_from_before_the_first_worker_is_the_same_activity_later(
    client: Client, engine: AsyncEngine
) -> None:
    batching = BatchingClient(client)
    early = asyncio.create_task(batching._ids("one"))
    await batching._databases.look_up()
    async with batcher_service(client, engine, SOON):
        assert await early == await batching._ids("one")


async def test_a_request_id_in_the_json_outlives_the_activity(
    client: Client, engine: AsyncEngine
) -> None:
    request = {"request_id": "mine", "records": [{"key": "k", "payload": {"a": 1}}]}
    async with batcher_service(client, engine, SOON):
        answers = [await run_activity(client, request) for _ in range(2)]
    assert [answer["records"][0]["verdict"] for answer in answers] == ["written"] * 2


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"records": [{"key": 1, "payload": {}}]}, "records[0].key: a text is needed"),
        (
            RawValue(Payload(metadata={"encoding": b"json/plain"}, data=b"{")),
            "the request: no JSON",
        ),
    ],
)
async def test_a_request_that_cannot_be_read_fails_at_once(
    client: Client, engine: AsyncEngine, request_: object, message: str
) -> None:
    async with batcher_service(client, engine, SOON):
        with pytest.raises(ActivityFailureError) as failed:
            await run_activity(client, request_)
    cause = failed.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.type == INVALID_REQUEST
    assert cause.message.startswith(message)


async def test_a_request_that_was_refused_or_cancelled_may_be_made_again(
    client: Client, engine: AsyncEngine
) -> None:
    batching = BatchingClient(client)
    async with batcher_service(client, engine, SOON):
        with pytest.raises(ApplicationError, match="1001 are too many"):
            await batching.write(numbered(*range(1_001)), request_id="one")
        assert len(await batching.write(numbered(1), request_id="one")) == 1
        activity_id = (await batching._ids("two"))[1]
    begun = asyncio.create_task(batching.write(numbered(2), request_id="two"))
    await eventually(lambda: terminate(client, activity_id))
    with pytest.raises(ActivityFailureError):
        await begun
    async with batcher_service(client, engine, SOON):
        (result,) = await batching.write(numbered(2), request_id="two")
    assert result.verdict is Verdict.WRITTEN


async def terminate(client: Client, activity_id: str) -> None:
    try:
        await client.get_activity_handle(activity_id).terminate()
    except RPCError as error:
        raise AssertionError("it has not begun yet") from error


async def test_a_request_that_may_not_take_long_waits_for_no_linger(
    client: Client, engine: AsyncEngine
) -> None:
    request = {"records": [{"key": "k", "payload": {"a": 1}}]}
    async with batcher_service(client, engine, FAR_AWAY):
        answer = await in_time(run_activity(client, request, timedelta(seconds=2)))
    assert answer["records"][0]["verdict"] == "written"


@pytest.mark.parametrize("request_id", ["", "x" * 513, "half \ud800"])
async def test_a_request_id_that_cannot_be_is_refused_before_anything_is_sent(
    client: Client, request_id: str
) -> None:
    with pytest.raises(ApplicationError, match="request_id: a text of 1 to 512 bytes"):
        await BatchingClient(client).write(numbered(1), request_id=request_id)


async def test_a_request_that_is_too_large_is_refused_in_one_line(client: Client) -> None:
    batching = BatchingClient(client)
    with pytest.raises(ApplicationError, match=r"bytes as JSON, 2031616 are allowed: make several"):
        await batching.write([Record("k", json.dumps({"quotes": '"' * 600_000}))])
