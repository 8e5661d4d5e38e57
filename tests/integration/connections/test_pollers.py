"""Whether somebody polls a task queue."""

import time

from temporalio.client import Client

from batching_demo.contracts.names import MAIN_TASK_QUEUE
from batching_demo.temporal.pollers import has_pollers, wait_for_pollers
from tests.support.services import main_service


async def test_polls_before_a_time_do_not_count(client: Client) -> None:
    assert not await has_pollers(client, MAIN_TASK_QUEUE)
    async with main_service(client):
        assert await has_pollers(client, MAIN_TASK_QUEUE)
        assert not await has_pollers(client, MAIN_TASK_QUEUE, time.time() + 60)
    stopped_at = time.time()
    assert not await has_pollers(client, MAIN_TASK_QUEUE, stopped_at)
    async with main_service(client):
        await wait_for_pollers(client, MAIN_TASK_QUEUE, since=stopped_at)
