"""The worker of the batcher service."""

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.worker import Worker

from batching_demo.batcher_service.activities import WriteActivities
from batching_demo.batcher_service.retry_activities import RetryActivities
from batching_demo.batcher_service.retry_workflow import RetryWorkflow
from batching_demo.batcher_service.workflows import BatcherWorkflow
from batching_demo.contracts import BATCHER_TASK_QUEUE
from batching_demo.temporal import GRACEFUL_SHUTDOWN


def build_worker(client: Client, engine: AsyncEngine, pool_size: int) -> Worker:
    """Build a worker that runs as many activities as its engine has connections."""
    writes = WriteActivities(engine, client)
    retries = RetryActivities(engine)
    return Worker(
        client,
        task_queue=BATCHER_TASK_QUEUE,
        workflows=[BatcherWorkflow, RetryWorkflow],
        activities=[
            writes.write_batch,
            writes.write_unbatched,
            writes.answer_busy,
            retries.prepare_retry,
            retries.note_retry,
        ],
        max_concurrent_activities=pool_size,
        graceful_shutdown_timeout=GRACEFUL_SHUTDOWN,
    )
