"""Servers that go away while a stream is consumed."""

import asyncio
import json
import logging

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.contracts.operations import BatcherSettings
from batching_demo.devstack.valkey import ValkeyServer
from batching_demo.queue_servers.stream_address import StreamAddress
from tests.support.database import expect_rows, rows
from tests.support.intake import consuming, expect_empty, expect_pending
from tests.support.postgres import ChosenPostgres, stopped
from tests.support.queues import CLAIM_AFTER_SECONDS, add, deliveries, source_of
from tests.support.waiting import eventually

SMALL = BatcherSettings(max_records=5, linger_seconds=0.05)


def objects(number: int) -> list[str]:
    return [json.dumps({"n": one}) for one in range(number)]


async def test_an_outage_of_the_database_gives_nothing_back(
    spare_postgres: ChosenPostgres,
    mortal_engine: AsyncEngine,
    stream: StreamAddress,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with (
        consuming(mortal_engine, stream, SMALL) as first,
        consuming(mortal_engine, stream, SMALL) as second,
    ):
        await add(stream, *objects(10))
        await expect_rows(mortal_engine, 10)
        await expect_empty(stream)
        async with stopped(spare_postgres):
            await add(stream, *objects(60))
            await eventually(lambda: expect_logged(caplog, "database failed", 2))
            held = await deliveries(stream)
            await asyncio.sleep(CLAIM_AFTER_SECONDS * 3)
            # Nothing more was received, nothing went to the other consumer, and nothing counted.
            assert await deliveries(stream) == held
            assert set(held.values()) == {1}
            assert 0 < len(held) <= 30
        await expect_empty(stream)
    assert await rows(mortal_engine) == 70
    assert first.source.claimed == second.source.claimed == 0


async def test_a_consumer_that_stops_in_an_outage_gives_up_what_it_holds(
    spare_postgres: ChosenPostgres, mortal_engine: AsyncEngine, stream: StreamAddress
) -> None:
    linger = BatcherSettings(linger_seconds=3600)
    await add(stream, *objects(3))
    async with consuming(mortal_engine, stream, linger, claim_after_seconds=60):
        await expect_pending(stream, 3)
        await asyncio.to_thread(spare_postgres.stop, "immediate")
    async with stopped(spare_postgres):
        assert set((await deliveries(stream)).values()) == {1}
        # Others need not wait until they may claim it.
        async with source_of(stream, claim_after_seconds=60) as other:
            assert len(await other.receive(10)) == 3
            await other.give_up()
    async with consuming(mortal_engine, stream, SMALL, claim_after_seconds=60):
        await expect_empty(stream)
    assert await rows(mortal_engine) == 3


async def test_a_queue_that_goes_away_is_waited_for_with_one_line(
    valkey: ValkeyServer,
    engine: AsyncEngine,
    stream: StreamAddress,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "batching_demo")
    linger = BatcherSettings(linger_seconds=1.0)
    async with consuming(engine, stream, linger, claim_after_seconds=60):
        await add(stream, *objects(3))
        await expect_pending(stream, 3)
        valkey.kill()
        try:
            # What is held is written all the same, and acked later.
            await expect_rows(engine, 3)
            await eventually(lambda: expect_logged(caplog, "does not answer"))
            await asyncio.sleep(1.5)
        finally:
            await asyncio.to_thread(valkey.start)
        await add(stream, *objects(2))
        await expect_rows(engine, 5)
        await expect_empty(stream)
        await eventually(lambda: expect_logged(caplog, "answers again"))
    assert len(lines(caplog, "does not answer")) == 1


def lines(caplog: pytest.LogCaptureFixture, words: str) -> list[str]:
    return [line for line in caplog.messages if words in line]


async def expect_logged(caplog: pytest.LogCaptureFixture, words: str, at_least: int = 1) -> None:
    assert len(lines(caplog, words)) >= at_least
