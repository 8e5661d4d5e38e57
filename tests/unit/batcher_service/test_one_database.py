"""A worker that does not know its database: when it starts all the same, and when it ends."""

import asyncio
from typing import cast

import pytest
from temporalio.worker import Worker

from batching_demo.batcher_service.identity.guard import IdentityGuard
from batching_demo.batcher_service.identity.plugin import OneDatabasePlugin
from batching_demo.database.errors import DatabaseFailedError, Failure, FailureKind
from batching_demo.temporal.executions import MemoUnreadableError
from tests.support.waiting import in_time


class FailingGuard:
    def __init__(self, error: Exception) -> None:
        self.error = error

    async def look_again(self) -> str:
        raise self.error


class StartedWorker:
    """It runs until it is shut down, and does not shut down before it runs."""

    def __init__(self) -> None:
        self.is_to_stop, self.has_stopped = asyncio.Event(), asyncio.Event()

    async def shutdown(self) -> None:
        self.is_to_stop.set()
        await self.has_stopped.wait()

    async def run(self, _: Worker) -> None:
        await self.is_to_stop.wait()
        self.has_stopped.set()


async def run(error: Exception, worker: StartedWorker) -> None:
    plugin = OneDatabasePlugin(cast(IdentityGuard, FailingGuard(error)))
    await plugin.run_worker(cast(Worker, worker), worker.run)


async def test_a_memo_that_cannot_be_read_ends_it() -> None:
    worker = StartedWorker()
    with pytest.raises(MemoUnreadableError):
        await in_time(run(MemoUnreadableError("encoded"), worker))
    assert worker.has_stopped.is_set()


async def test_a_database_that_is_away_keeps_it_from_nothing() -> None:
    worker = StartedWorker()
    running = asyncio.create_task(
        run(DatabaseFailedError(Failure(FailureKind.OUTAGE, "away")), worker)
    )
    await in_time(worker.shutdown())
    await in_time(running)
