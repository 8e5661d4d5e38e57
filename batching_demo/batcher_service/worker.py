"""The worker of the batcher service."""

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.worker import Worker

from batching_demo.batcher_service.activities import WriteActivities
from batching_demo.batcher_service.retry.activities import RetryActivities
from batching_demo.batcher_service.retry.workflow import RetryWorkflow
from batching_demo.batcher_service.workflow import BatcherWorkflow
from batching_demo.contracts.messages import BatcherSettings
from batching_demo.contracts.names import BATCHER_TASK_QUEUE
from batching_demo.requester.submitter import Submitter
from batching_demo.temporal import DEFAULT_POLLERS, GRACEFUL_SHUTDOWN, workflow_runner


def build_worker(
    client: Client,
    engine: AsyncEngine,
    pool_size: int,
    coalescing: BatcherSettings | None = None,
    *,
    activity_slots: int | None = None,
    pollers: int = DEFAULT_POLLERS,
) -> Worker:
    """Build a worker.

    Args:
        client: also sends verdicts.
        engine: writes.
        pool_size: connections of the engine, and writes at a time.
        coalescing: when the calls of the coalesced path are written.
        activity_slots: activities at a time, those that wait for a connection or for others to
            share a batch with included; by default two batches of single records.
        pollers: requests for work at a time, for workflow tasks and for activities.
    """
    coalescing = coalescing or BatcherSettings()
    writes = WriteActivities(engine, client, pool_size, coalescing)
    retries = RetryActivities(engine)
    return Worker(
        client,
        task_queue=BATCHER_TASK_QUEUE,
        workflows=[BatcherWorkflow, RetryWorkflow],
        activities=[
            writes.write_batch,
            writes.write_unbatched,
            writes.write_coalesced,
            writes.answer_busy,
            retries.prepare_retry,
            retries.note_retry,
            # A retry submits like any other workflow.
            Submitter(client).submit_to_batcher,
        ],
        # While one batch of calls is written, the next one gathers.
        max_concurrent_activities=activity_slots or max(pool_size, 2 * coalescing.max_records),
        max_concurrent_workflow_task_polls=pollers,
        max_concurrent_activity_task_polls=pollers,
        graceful_shutdown_timeout=GRACEFUL_SHUTDOWN,
        workflow_runner=workflow_runner(),
    )
