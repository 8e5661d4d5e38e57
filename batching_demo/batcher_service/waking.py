"""Have idle batchers go on in the version of the workers that has become current."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.plugin import SimplePlugin
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

from batching_demo.concurrency import in_background
from batching_demo.contracts.identity import DATABASE_WORKFLOW
from batching_demo.contracts.names import BATCHER_TASK_QUEUE, BATCHER_WORKFLOW, WAKE_SIGNAL
from batching_demo.temporal.deployment import VERSION, search_value
from batching_demo.temporal.executions import list_executions
from batching_demo.temporal.pollers import describe_polling

LOOK_SECONDS = 5.0
LOOKS = 6
"""After what is current or ramping has changed. What Temporal lists lags by some seconds."""
logger = logging.getLogger(__name__)


class WakingPlugin(SimplePlugin):
    """Wakes the workflows that run for ever once the version of their worker is current.

    Such a workflow is pinned to a version, and learns from the server that another one is to go on
    with it. But the server says so only with a workflow task, and one that is idle has none. So it
    would keep the workers of the version before from being stopped.

    Args:
        client: Of the worker.
        version: Of the worker.
    """

    def __init__(self, client: Client, version: WorkerDeploymentVersion) -> None:
        super().__init__("batching_demo.waking")
        self._client = client
        self._version = version

    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:
        """Run a worker."""
        async with in_background(self._wake_when_current()):
            await next(worker)

    async def _wake_when_current(self) -> None:
        routed_at, looks = 0.0, 0
        while True:
            try:
                polling = await describe_polling(self._client, BATCHER_TASK_QUEUE)
                if polling.routed_at != routed_at:
                    routed_at, looks = polling.routed_at, 0
                if polling.current == self._version and looks < LOOKS:
                    looks += 1
                    await self._wake()
            except RPCError as error:
                logger.info("cannot look which version is current yet: %s", error)
            await asyncio.sleep(LOOK_SECONDS)

    async def _wake(self) -> None:
        """Wake the workflows of other versions. One that has moved on is none of them."""
        query = (
            f"WorkflowType IN ('{BATCHER_WORKFLOW}', '{DATABASE_WORKFLOW}')"
            f" AND ExecutionStatus = 'Running' AND {VERSION} != '{search_value(self._version)}'"
        )
        for workflow_id in await list_executions(self._client, query):
            try:
                await self._client.get_workflow_handle(workflow_id).signal(WAKE_SIGNAL)
            except RPCError as error:
                # What Temporal lists may have ended.
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
                continue
            logger.info("%s is to go on in %s", workflow_id, self._version.build_id)
