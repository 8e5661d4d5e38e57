"""Run the workers of the services in the test's own process."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.worker import Worker

from batching_demo.batcher_service import worker as batcher_worker
from batching_demo.batcher_service.activities import WriteActivities
from batching_demo.batcher_service.batcher.workflow import BatcherWorkflow
from batching_demo.batcher_service.identity.workflow import DatabaseWorkflow
from batching_demo.contracts.names import BATCHER_TASK_QUEUE, MAIN_TASK_QUEUE
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.contracts.targets import TargetDeclaration
from batching_demo.main_service import worker as main_worker
from batching_demo.requester.plugin import BatchingPlugin
from batching_demo.temporal.pollers import wait_for_pollers


@asynccontextmanager
async def batcher_service(
    client: Client,
    engine: AsyncEngine,
    coalescing: BatcherSettings | None = None,
    *,
    targets: Sequence[TargetDeclaration] = (),
    queue_url: str = "",
) -> AsyncIterator[None]:
    """Run a worker of the batcher service, and wait until it polls."""
    async with batcher_worker.build_worker(
        client, engine, 5, coalescing, targets=targets, sandbox=True, queue_url=queue_url
    ):
        await wait_for_pollers(client, BATCHER_TASK_QUEUE)
        yield


@asynccontextmanager
async def main_service(client: Client, *, queue_url: str = "") -> AsyncIterator[None]:
    """Run a worker of the main service, and wait until it polls."""
    async with main_worker.build_worker(client, sandbox=True, queue_url=queue_url):
        await wait_for_pollers(client, MAIN_TASK_QUEUE)
        yield


@asynccontextmanager
async def both_services(client: Client, engine: AsyncEngine) -> AsyncIterator[None]:
    """Run a worker of each service."""
    async with batcher_service(client, engine), main_service(client):
        yield


@asynccontextmanager
async def patchable_batcher_service(client: Client, engine: AsyncEngine) -> AsyncIterator[None]:
    """Run a batcher worker whose workflow sees constants as a test has patched them."""
    activities = WriteActivities(engine, client, 5, BatcherSettings())
    async with Worker(
        client,
        task_queue=BATCHER_TASK_QUEUE,
        workflows=[BatcherWorkflow, DatabaseWorkflow],
        activities=[activities.write_batch, activities.answer_busy],
        plugins=[BatchingPlugin()],
    ):
        yield
