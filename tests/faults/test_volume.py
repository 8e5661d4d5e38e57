"""Many signals, many requesters, many records; minutes each."""

import asyncio
import time

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

from batching_demo.comparison.temporal_counts import batcher_runs
from batching_demo.contracts.encoding import join
from batching_demo.contracts.names import SUBMIT_SIGNAL, batcher_workflow_id
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.operator.start import start_batchers
from tests.support.database import scalar
from tests.support.records import record, submission
from tests.support.requesters import Collector, Waiter
from tests.support.services import batcher_service
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow
RATE, SECONDS, REQUESTERS = 150, 60, 5
MANY = 2_500


@pytest.mark.timeout(600)
async def test_150_signals_a_second_for_a_minute(client: Client, engine: AsyncEngine) -> None:
    await start_batchers(client, 1, BatcherSettings(linger_seconds=1))
    batcher = client.get_workflow_handle(batcher_workflow_id(0))
    longest = 0

    async def send(number: int) -> None:
        requester = f"requester-{number % REQUESTERS}"
        arguments = join([submission(f"s{number}", [record(f"k{number}")], requester)])
        while True:
            try:
                await batcher.signal(SUBMIT_SIGNAL, args=arguments)
            except RPCError as error:
                # The server takes no signal in the moment in which a run continues as new.
                if error.status is not RPCStatusCode.RESOURCE_EXHAUSTED:
                    raise
            else:
                return

    async def watch() -> None:
        nonlocal longest
        while True:
            for _, length in (await batcher_runs(client, 1)).values():
                longest = max(longest, length)
            await asyncio.sleep(0.2)

    async def all_answered() -> None:
        answered = 0
        for number in range(REQUESTERS):
            collector = client.get_workflow_handle(f"requester-{number}")
            answered += len(await collector.query(Collector.answers))
        assert answered == RATE * SECONDS

    async with (
        batcher_service(client, engine),
        Worker(client, task_queue="collectors", workflows=[Collector]),
    ):
        for number in range(REQUESTERS):
            await client.start_workflow(
                Collector.run, id=f"requester-{number}", task_queue="collectors"
            )
        watching = asyncio.create_task(watch())
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(RATE * SECONDS):
                await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))
                group.create_task(send(number))
        await eventually(all_answered, within=240, every=2)
        watching.cancel()
    assert 0 < longest < 10_000
    assert await scalar(engine, "SELECT count(*) FROM records") == RATE * SECONDS


@pytest.mark.timeout(600)
async def test_2500_requesters_in_one_flush(client: Client, engine: AsyncEngine) -> None:
    await start_batchers(client, 1, BatcherSettings(max_records=MANY, linger_seconds=600))
    batcher = client.get_workflow_handle(batcher_workflow_id(0))
    turn = asyncio.Semaphore(50)

    async def start(number: int) -> WorkflowHandle[Waiter, str]:
        made = submission(f"r{number}/0", [record(f"k{number}", {})], f"r{number}")
        async with turn:
            handle = await client.start_workflow(Waiter.run, id=f"r{number}", task_queue="waiters")
            await batcher.signal(SUBMIT_SIGNAL, args=join([made]))
        return handle

    async with (
        batcher_service(client, engine),
        Worker(client, task_queue="waiters", workflows=[Waiter]),
    ):
        handles = await asyncio.gather(*(start(number) for number in range(MANY)))
        # One by one: the server allows about 1,200 long polls at a time.
        codes = {await handle.result() for handle in handles}
    assert codes == {"w"}
    assert await scalar(engine, "SELECT count(DISTINCT batch_id) FROM records") == 1
    assert await scalar(engine, "SELECT count(*) FROM records") == MANY
