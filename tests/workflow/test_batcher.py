"""The batcher workflow on a real Temporal server and a real Postgres."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.worker import Worker

from batching_demo.contracts.encoding import join
from batching_demo.contracts.names import SUBMIT_SIGNAL, batcher_workflow_id
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.operator.start import start_batchers
from tests.support.batchers import status, submit
from tests.support.database import expect_rows, fetch, rows, scalar
from tests.support.records import noise, record, submission
from tests.support.requesters import Collector
from tests.support.services import batcher_service
from tests.support.waiting import eventually

pytestmark = pytest.mark.as_writer

REQUESTER_QUEUE = "requesters"


async def expect_totals(
    client: Client, *, batches: dict[str, int] | None = None, **verdicts: int
) -> None:
    async def check() -> None:
        totals = (await status(client)).totals
        assert batches is None or totals.batches == batches
        for verdict, number in verdicts.items():
            assert totals.verdicts.get(verdict) == number

    await eventually(check)


async def batch_sizes(engine: AsyncEngine) -> list[object]:
    found = await fetch(engine, "SELECT count(*) FROM records GROUP BY batch_id ORDER BY min(id)")
    return [size for (size,) in found]


async def test_a_full_batch_is_one_insert(client: Client, engine: AsyncEngine) -> None:
    await start_batchers(client, 1, BatcherSettings(max_records=10, linger_seconds=60))
    async with batcher_service(client, engine):
        await asyncio.gather(*(submit(client, (f"s{n}", [record(f"k{n}")])) for n in range(25)))
        await expect_rows(engine, 20)
        assert await batch_sizes(engine) == [10, 10]
        assert (await status(client)).buffered_records == 5


async def test_a_partial_batch_is_written_after_its_linger(
    client: Client, engine: AsyncEngine
) -> None:
    await start_batchers(client, 1, BatcherSettings(linger_seconds=1))
    async with batcher_service(client, engine):
        await submit(client, ("s", [record("a"), record("b")]))
        await expect_rows(engine, 2)
        await expect_totals(client, batches={"age": 1}, written=2)


async def test_bytes_make_a_batch(client: Client, engine: AsyncEngine) -> None:
    await start_batchers(client, 1, BatcherSettings(max_bytes=4_000, linger_seconds=60))
    async with batcher_service(client, engine):
        for number in range(5):
            await submit(client, (f"s{number}", [record(f"k{number}", {"text": noise(1_000)})]))
        await expect_rows(engine, 3)
        await expect_totals(client, batches={"bytes": 1})


async def test_signals_before_any_worker_are_kept(client: Client, engine: AsyncEngine) -> None:
    await start_batchers(client, 1, BatcherSettings(linger_seconds=0.2))
    await asyncio.gather(*(submit(client, (f"s{n}", [record(f"k{n}")])) for n in range(150)))
    async with batcher_service(client, engine):
        await expect_rows(engine, 150)


async def test_every_requester_gets_its_own_verdicts(client: Client, engine: AsyncEngine) -> None:
    await start_batchers(client, 1, BatcherSettings(linger_seconds=0.5))
    async with (
        batcher_service(client, engine),
        Worker(client, task_queue=REQUESTER_QUEUE, workflows=[Collector]),
    ):
        for name in ("one", "two", "gone"):
            await client.start_workflow(Collector.run, id=name, task_queue=REQUESTER_QUEUE)
        await client.get_workflow_handle("gone").terminate()
        await submit(client, ("gone/0", [record("x")]), requester="gone")
        await submit(client, ("one/0", [record("a"), record("b")]), requester="one")
        await submit(client, ("two/0", [record("b"), record("a", {})]), requester="two")

        async def check() -> dict[str, str]:
            codes: dict[str, str] = {}
            for name in ("one", "two"):
                codes |= await client.get_workflow_handle(name).query(Collector.answers)
            assert len(codes) == 2
            return codes

        answers = await eventually(check)
    assert answers == {"one/0": "ww", "two/0": "dc"}
    assert await rows(engine) == 3


async def test_nothing_is_lost_over_many_runs(client: Client, engine: AsyncEngine) -> None:
    await start_batchers(client, 1, BatcherSettings(max_records=10, linger_seconds=0.3))
    async with batcher_service(client, engine):
        for wave in range(12):
            await asyncio.gather(
                *(submit(client, (f"s{wave}-{n}", [record(f"k{wave}-{n}")])) for n in range(50))
            )
        await expect_rows(engine, 600)
        await expect_totals(client, written=600)
    handle = client.get_workflow_handle(batcher_workflow_id(0))
    first_run = await client.get_workflow_handle(
        batcher_workflow_id(0),
        run_id=(await handle.describe()).raw_description.workflow_execution_info.first_run_id,
    ).describe()
    assert first_run.status is WorkflowExecutionStatus.CONTINUED_AS_NEW


async def test_malformed_signals_do_no_harm(client: Client, engine: AsyncEngine) -> None:
    await start_batchers(client, 1, BatcherSettings(linger_seconds=0.2))
    handle = client.get_workflow_handle(batcher_workflow_id(0))
    lies = submission("lies", [record("z")])
    header, encoded = lies.header, lies.records
    wrong: list[list[object]] = [
        [],
        [1],
        [[header]],
        [[header], encoded, 3],
        [None, None],
        [[header], "text"],
        ["nonsense", encoded],
        [[{"submission_id": "x"}], encoded],
        [[header], encoded + b"more"],
        [[], b""],
    ]
    async with batcher_service(client, engine):
        for arguments in wrong:
            await handle.signal(SUBMIT_SIGNAL, args=arguments)
        await submit(client, ("s", [record("a")]))
        await expect_rows(engine, 1)

        async def all_are_kept() -> None:
            reasons = await fetch(engine, "SELECT DISTINCT reason, source FROM dead_letters")
            assert reasons == [("malformed", "signal")]
            assert await scalar(engine, "SELECT count(*) FROM dead_letters") == len(wrong)

        await eventually(all_are_kept)


async def test_bytes_that_are_no_records_are_rejected_and_the_others_stored(
    client: Client, engine: AsyncEngine
) -> None:
    await start_batchers(client, 1, BatcherSettings(linger_seconds=0.2))
    good = submission("good", [record("a")])
    bad = submission("bad", [record("b")])
    nonsense = replace(bad, records=bytes(bad.header.length))
    async with batcher_service(client, engine):
        await client.get_workflow_handle(batcher_workflow_id(0)).signal(
            SUBMIT_SIGNAL, args=join([nonsense, good])
        )
        await expect_rows(engine, 1)
        await expect_totals(client, written=1, rejected=1)
        found = await fetch(engine, "SELECT reason, idempotency_key FROM dead_letters")
    assert found == [("malformed", None)]


async def test_starting_twice_changes_nothing_and_names_differences(client: Client) -> None:
    first = await start_batchers(client, 2, BatcherSettings(linger_seconds=3))
    assert [started.is_new for started in first] == [True, True]
    again = await start_batchers(client, 2, BatcherSettings(linger_seconds=3))
    assert [(started.is_new, started.differences) for started in again] == [(False, [])] * 2
    other = await start_batchers(client, 1, BatcherSettings(linger_seconds=4, max_records=7))
    assert other[0].differences == ["max_records is 100, not 7", "linger_seconds is 3, not 4"]
