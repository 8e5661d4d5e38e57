"""Records of workflows and clients that go to a table of the user's own, on real servers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import cast
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.worker import Worker

from batching_demo import BatchingClient, BatchingPlugin, Record, RecordResult, WritePath
from batching_demo.contracts.names import WRITE_ACTIVITIES
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.contracts.retries import RetryInput
from batching_demo.contracts.targets import TargetDeclaration
from batching_demo.operator.retries import RetryRequest, retry_dead_letter
from batching_demo.operator.start import start_batchers
from tests.support.database import execute, fetch
from tests.support.own_tables import let_write
from tests.support.services import batcher_service
from tests.support.writers import WRITERS, Job, WriteOnce

pytestmark = pytest.mark.as_writer

QUICK = BatcherSettings(linger_seconds=0.2)
PATHS = (WritePath.BATCHED, *WRITE_ACTIVITIES)
INVOICES = TargetDeclaration(
    "invoices",
    "invoices",
    ("invoice_no",),
    {"issued_at": "date"},
    returned=("id", "issued_at"),
)
GONE = TargetDeclaration("gone", "gone", ("id",))


@asynccontextmanager
async def writing(
    client: Client, engine: AsyncEngine, *targets: TargetDeclaration
) -> AsyncIterator[None]:
    """Run a batcher and the workers of both sides, with the table of invoices."""
    await execute(
        engine,
        "CREATE TABLE invoices (id bigint GENERATED ALWAYS AS IDENTITY (START 7) PRIMARY KEY,"
        " invoice_no text NOT NULL UNIQUE, amount numeric(12, 2) NOT NULL, issued_at date)",
    )
    await let_write(engine, INVOICES, *targets)
    await start_batchers(client, 1, QUICK)
    worker = Worker(client, task_queue="writers", workflows=WRITERS, plugins=[BatchingPlugin()])
    async with batcher_service(client, engine, QUICK, targets=(INVOICES, *targets)), worker:
        yield


def invoices(*amounts: object) -> list[Record]:
    return [
        Record(None, {"invoice_no": f"R{number}", "amount": amount, "date": "2026-11-26"})
        for number, amount in enumerate(amounts, 1)
    ]


async def written(client: Client, job: Job) -> list[RecordResult]:
    return await client.execute_workflow(
        WriteOnce.run, job, id=f"writer-{uuid4()}", task_queue="writers"
    )


async def ids(engine: AsyncEngine) -> dict[str, int]:
    found = await fetch(engine, "SELECT invoice_no, id FROM invoices")
    return {str(number): cast(int, id_) for number, id_ in found}


def told(results: list[RecordResult]) -> list[tuple[str, object]]:
    return [(result.verdict.value, result.returned.get("id")) for result in results]


@pytest.mark.parametrize("write_path", PATHS)
async def test_a_workflow_gets_the_ids_of_its_rows(
    client: Client, engine: AsyncEngine, write_path: WritePath
) -> None:
    async with writing(client, engine):
        job = Job(invoices(1, "no number", 3), QUICK, write_path, target="invoices")
        first, again = await written(client, job), await written(client, job)
        job = Job([Record("k", {"n": 1})], QUICK, write_path)
        assert told(await written(client, job)) == [("written", None)]
    stored = await ids(engine)
    assert told(first) == [("written", stored["R1"]), ("rejected", None), ("written", stored["R3"])]
    assert [verdict for verdict, _ in told(again)] == ["duplicate", "rejected", "duplicate"]
    assert [result.returned for result in again] == [result.returned for result in first]
    assert first[0].returned["issued_at"] == "2026-11-26"
    assert await fetch(engine, "SELECT target, idempotency_key, sqlstate FROM dead_letters") == [
        ("invoices", None, "22P02")
    ]


async def test_targets_share_a_batch_and_one_that_fails_does_not_stop_the_others(
    client: Client, engine: AsyncEngine
) -> None:
    await execute(engine, "CREATE TABLE gone (id integer PRIMARY KEY)")
    async with writing(client, engine, GONE):
        warm = Job([Record(None, {"id": 1})], QUICK, target="gone")
        assert told(await written(client, warm)) == [("written", None)]
        await execute(engine, "ALTER TABLE gone RENAME TO hidden")
        jobs = [
            Job([Record(None, {"id": 2})], QUICK, target="gone"),
            Job(invoices(5), QUICK, target="invoices"),
            Job([Record("k", {})], QUICK),
            Job([Record(None, {})], QUICK, target="unheard_of"),
        ]
        waits, *others = (asyncio.create_task(written(client, job)) for job in jobs)
        found = await asyncio.gather(*others)
        assert not waits.done()
        # What is answered is not written again. It would be in conflict with the row by now.
        await execute(engine, "UPDATE invoices SET amount = amount + 1")
        await execute(engine, "ALTER TABLE hidden RENAME TO gone")
        assert told(await waits) == [("written", None)]
    assert [result.verdict for results in found for result in results] == [
        "written",
        "written",
        "rejected",
    ]
    letters = await fetch(engine, "SELECT target, reason FROM dead_letters")
    assert letters == [("unheard_of", "unknown_target")]


async def test_what_is_returned_may_take_several_messages(
    client: Client, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batching_demo.batcher_service.answer_sizes.MAX_RETURNED_BYTES", 100)
    async with writing(client, engine):
        settings = BatcherSettings(max_records=4, linger_seconds=0.2)
        found = await written(client, Job(invoices(*range(10)), settings, target="invoices"))
    stored = await ids(engine)
    assert told(found) == [("written", stored[f"R{number}"]) for number in range(1, 11)]


async def test_a_client_without_a_workflow_gets_them_too(
    client: Client, engine: AsyncEngine
) -> None:
    batching = BatchingClient(client)
    async with writing(client, engine):
        labelled = [replace(invoices(1)[0], key="a label"), *invoices("x")]
        found = await batching.write(labelled, target="invoices")
    assert [result.verdict for result in found] == ["written", "rejected"]
    assert [result.key for result in found] == ["a label", ""]
    assert await fetch(engine, "SELECT id FROM invoices") == [(found[0].returned["id"],)]


async def test_a_dead_letter_is_retried_to_its_target(client: Client, engine: AsyncEngine) -> None:
    async with writing(client, engine):
        job = Job(invoices("1,50"), QUICK, target="invoices")
        assert told(await written(client, job)) == [("rejected", None)]

        async def retry(attempt: int, edited: str = "") -> tuple[str, int | None]:
            request = RetryRequest(RetryInput(1, attempt, 0.2), edited.encode())
            result = await retry_dead_letter(client, request)
            return result.verdict.value, result.kept_as

        assert await retry(2) == ("rejected", 1)
        assert await retry(3, '{"invoice_no": "R1", "amount": 1.5}') == ("written", None)
    assert await fetch(engine, "SELECT invoice_no, amount::text FROM invoices") == [("R1", "1.50")]
    assert await fetch(engine, "SELECT status FROM dead_letters") == [("retried",)]
