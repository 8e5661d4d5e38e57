"""The worker of the main service."""

from concurrent.futures import ThreadPoolExecutor

from temporalio.client import Client
from temporalio.worker import Worker

from batching_demo.contracts.names import MAIN_TASK_QUEUE
from batching_demo.main_service.activities import load_records, prepare_records
from batching_demo.main_service.workflow import MainWorkflow
from batching_demo.requester.submitter import Submitter
from batching_demo.temporal import DEFAULT_POLLERS, GRACEFUL_SHUTDOWN, workflow_runner

DEFAULT_THREADS = 8
DEFAULT_WORKFLOW_SLOTS = 100


def build_worker(
    client: Client,
    *,
    threads: int = DEFAULT_THREADS,
    workflow_slots: int = DEFAULT_WORKFLOW_SLOTS,
    pollers: int = DEFAULT_POLLERS,
) -> Worker:
    """Build a worker whose activities run in threads: they read files and burn CPU.

    Args:
        client: also sends submissions.
        threads: that load and prepare.
        workflow_slots: workflow tasks at a time; each may load, prepare or submit.
        pollers: requests for work at a time.
    """
    return Worker(
        client,
        task_queue=MAIN_TASK_QUEUE,
        workflows=[MainWorkflow],
        activities=[load_records, prepare_records, Submitter(client).submit_to_batcher],
        activity_executor=ThreadPoolExecutor(threads, thread_name_prefix="activity"),
        max_concurrent_workflow_tasks=workflow_slots,
        # Those that submit wait for each other, and must not keep others from loading.
        max_concurrent_local_activities=2 * workflow_slots,
        max_concurrent_workflow_task_polls=pollers,
        graceful_shutdown_timeout=GRACEFUL_SHUTDOWN,
        workflow_runner=workflow_runner(),
    )
