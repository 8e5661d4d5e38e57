"""Run requesters that only keep what they are told, and wait for what that is."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from temporalio.client import Client
from temporalio.worker import Worker

from tests.support.requesters import Collector
from tests.support.waiting import eventually

COLLECTORS = "collectors"


@asynccontextmanager
async def collecting(client: Client, *names: str) -> AsyncIterator[None]:
    """Run collectors under these workflow ids, and their worker."""
    for name in names:
        await client.start_workflow(Collector.run, id=name, task_queue=COLLECTORS)
    async with Worker(client, task_queue=COLLECTORS, workflows=[Collector]):
        yield


async def expect_answers(client: Client, name: str, expected: Mapping[str, str]) -> None:
    """Wait until a collector has these codes by submission, and no others."""

    async def check() -> None:
        assert await client.get_workflow_handle(name).query(Collector.answers) == expected

    await eventually(check)


async def expect_answered_busy(client: Client, name: str, at_least: int) -> None:
    """Wait until a collector has been told that so many submissions have to wait."""

    async def check() -> None:
        told = await client.get_workflow_handle(name).query(Collector.turned_away)
        assert told >= at_least

    await eventually(check)
