"""Requests without a workflow: a worker that is killed loses, doubles and changes none of them."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.contracts.operations import BatcherSettings
from batching_demo.requester import client as batching_client
from batching_demo.requester.records import Record
from tests.support.database import rows
from tests.support.processes import start_process
from tests.support.services import batcher_service
from tests.support.waiting import LONG_SECONDS, eventually
from tools.chaos.direct import DirectLoad
from tools.chaos.load import Results

REQUESTS, BATCH = 100, 30
WORKER = ("-m", "batching_demo", "batcher", "worker", "--linger", "600", "--max-records")
QUICK = BatcherSettings(linger_seconds=0.2)


async def test_requests_of_a_killed_worker_are_answered_by_another(
    client: Client,
    engine: AsyncEngine,
    servers: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shorter = batching_client.HEARTBEAT_TIMEOUT / 10
    monkeypatch.setattr(batching_client, "HEARTBEAT_TIMEOUT", shorter)
    load, results = (
        DirectLoad([[Record(f"k{number}", {})] for number in range(REQUESTS)]),
        Results(),
    )
    doomed = await start_process(servers, *WORKER, str(BATCH))
    await load.send(client, 0)

    async def most_are_written() -> None:
        # A request whose heartbeat was late is tried again, and may fill one batch more.
        assert await rows(engine) >= REQUESTS // BATCH * BATCH

    await eventually(most_are_written)
    doomed.kill()
    await doomed.communicate()
    async with batcher_service(client, engine, QUICK):
        await load.gather(client, results, LONG_SECONDS)
    assert (results.failed, results.unfinished) == ([], [])
    assert (results.completed, results.verdicts) == (REQUESTS, {"written": REQUESTS})
    assert await rows(engine) == REQUESTS
