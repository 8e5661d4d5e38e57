"""Batchers that are drained or stopped: nothing accepted is lost, and nothing else is taken."""

import asyncio
import itertools

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError

from batching_demo.contracts.operations import BatcherSettings, Mode, Update
from batching_demo.operator.draining import (
    RemainsError,
    running,
    wait_for,
    without_verdict,
)
from batching_demo.operator.requests import RequestRefusedError, request
from batching_demo.operator.shards import (
    ShardMissingError,
)
from batching_demo.operator.start import start_batchers
from tests.support.batchers import batcher, expect_buffered, status, submit
from tests.support.collecting import collecting, expect_answered_busy, expect_answers
from tests.support.database import expect_rows, locked_table, rows
from tests.support.records import record
from tests.support.services import batcher_service
from tests.support.waiting import LONG_SECONDS, eventually, in_time

pytestmark = pytest.mark.as_writer

SLOW = BatcherSettings(linger_seconds=600)
QUICK = BatcherSettings(linger_seconds=0.2)


def ignore(shard: int, remains: str) -> None:
    del shard, remains


async def test_a_drain_writes_all_and_answers_busy_until_resumed(
    client: Client, engine: AsyncEngine
) -> None:
    await start_batchers(client, 1, SLOW)
    async with batcher_service(client, engine), collecting(client, "one"):
        await submit(client, ("early", [record("a")]), requester="one")
        await expect_buffered(client, 1)
        await request(client, 0, Update.DRAIN)
        await wait_for(client, 0, without_verdict, LONG_SECONDS, ignore)
        await expect_answers(client, "one", {"early": "w"})
        assert (await status(client)).totals.batches == {"drain": 1}
        with pytest.raises(RequestRefusedError, match="draining"):
            await request(client, 0, Update.PAUSE)
        await submit(client, ("late", [record("b")]), requester="one")
        await expect_answered_busy(client, "one", at_least=1)
        assert (await status(client)).open_records == 0
        await request(client, 0, Update.RESUME)
        await submit(client, ("late", [record("b")]), requester="one")
        await expect_buffered(client, 1)


async def test_a_drain_that_is_not_done_says_what_remains(
    client: Client, engine: AsyncEngine
) -> None:
    await start_batchers(client, 1, SLOW)
    async with batcher_service(client, engine), locked_table(engine):
        await submit(client, ("s", [record("a"), record("b")]))
        await request(client, 0, Update.DRAIN)
        with pytest.raises(RemainsError, match="no verdict yet for 2 records"):
            await wait_for(client, 0, without_verdict, 1.5, ignore)
        await request(client, 0, Update.RESUME)
        with pytest.raises(RequestRefusedError, match="resumed"):
            await wait_for(client, 0, without_verdict, LONG_SECONDS, ignore)


async def test_a_stop_writes_all_and_ends(client: Client, engine: AsyncEngine) -> None:
    await start_batchers(client, 1, SLOW)
    async with batcher_service(client, engine), collecting(client, "one"):
        await submit(client, ("s", [record("a")]), requester="one")
        assert (await request(client, 0, Update.STOP)).changed
        await wait_for(client, 0, running, LONG_SECONDS, ignore)
        await expect_answers(client, "one", {"s": "w"})
        found = await batcher(client).describe()
        assert found.status is WorkflowExecutionStatus.COMPLETED
        with pytest.raises(ShardMissingError, match="batcher-0 does not run"):
            await request(client, 0, Update.STOP)


async def test_what_comes_while_a_batcher_ends_is_answered_or_not_taken(
    client: Client, engine: AsyncEngine
) -> None:
    """Every signal that the server takes leads to an answer, however close to the end it is."""
    await start_batchers(client, 1, QUICK)
    taken: list[str] = []

    async def send_until_refused() -> None:
        pause = 0.02
        for number in itertools.count():
            name = f"s{number}"
            try:
                await submit(client, (name, [record(name)]), requester="one")
            except RPCError:
                return
            taken.append(name)
            await asyncio.sleep(pause)
            pause *= 1.05  # a batcher never ends while they come faster than it answers them

    async with batcher_service(client, engine), collecting(client, "one"):
        sending = asyncio.create_task(send_until_refused())
        await asyncio.sleep(0.4)
        await request(client, 0, Update.STOP)
        await in_time(sending)
        await wait_for(client, 0, running, LONG_SECONDS, ignore)
        assert taken

        async def all_told() -> None:
            one = client.get_workflow_handle("one")
            answered = await one.query("answers")
            assert len(answered) == await rows(engine)
            assert len(answered) + await one.query("turned_away") == len(taken)

        await eventually(all_told)


async def test_a_stop_can_be_taken_back_while_it_is_not_done(
    client: Client, engine: AsyncEngine
) -> None:
    await start_batchers(client, 1, SLOW)
    async with batcher_service(client, engine):
        async with locked_table(engine):
            await submit(client, ("s", [record("a")]))
            await request(client, 0, Update.STOP)
            assert (await request(client, 0, Update.RESUME)).changed
        await expect_rows(engine, 1)
        assert (await status(client)).mode == Mode.OPEN
