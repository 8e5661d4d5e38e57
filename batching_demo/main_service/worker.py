"""The worker of the main service."""

from concurrent.futures import ThreadPoolExecutor

from temporalio.client import Client
from temporalio.worker import Worker

from batching_demo.contracts import MAIN_TASK_QUEUE
from batching_demo.main_service.activities import load_records, prepare_records
from batching_demo.main_service.workflows import MainWorkflow
from batching_demo.requester.submitter import Submitter
from batching_demo.temporal import GRACEFUL_SHUTDOWN, workflow_runner

THREADS = 8
LOCAL_ACTIVITIES = 200
"""Those that submit wait for each other; more than the 100 workflow tasks at a time need."""


def build_worker(client: Client) -> Worker:
    """Build a worker whose activities run in threads: they read files and burn CPU."""
    return Worker(
        client,
        task_queue=MAIN_TASK_QUEUE,
        workflows=[MainWorkflow],
        activities=[load_records, prepare_records, Submitter(client).submit_to_batcher],
        activity_executor=ThreadPoolExecutor(THREADS, thread_name_prefix="activity"),
        max_concurrent_local_activities=LOCAL_ACTIVITIES,
        graceful_shutdown_timeout=GRACEFUL_SHUTDOWN,
        workflow_runner=workflow_runner(),
    )
