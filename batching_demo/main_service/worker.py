"""The worker of the main service."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from temporalio.client import Client
from temporalio.worker import Worker

from batching_demo.contracts.limits import DEFAULT_POLLERS
from batching_demo.contracts.names import MAIN_TASK_QUEUE
from batching_demo.main_service.activities import load_records, prepare_records
from batching_demo.main_service.workflow import MainWorkflow
from batching_demo.requester.plugin import BatchingPlugin
from batching_demo.temporal.deployment import Version, deployment_config
from batching_demo.temporal.running import GRACEFUL_SHUTDOWN, workflow_runner

DEFAULT_THREADS = 8
DEFAULT_WORKFLOW_SLOTS = 100


def build_worker(
    client: Client,
    *,
    workflows: Sequence[type] = (MainWorkflow,),
    task_queue: str = MAIN_TASK_QUEUE,
    threads: int = DEFAULT_THREADS,
    workflow_slots: int = DEFAULT_WORKFLOW_SLOTS,
    pollers: int = DEFAULT_POLLERS,
    sandbox: bool = False,
    queue_url: str | None = None,
    deployment: Version = None,
) -> Worker:
    """Build a worker whose activities run in threads: they read files and burn CPU.

    Args:
        client: Also sends submissions.
        workflows: That load and prepare slices.
        task_queue: That it polls.
        threads: That load and prepare.
        workflow_slots: Workflow tasks at a time; each may load, prepare or submit.
        pollers: Requests for work at a time.
        sandbox: Whether workflows run in the sandbox of the SDK.
        queue_url: As of `BatchingPlugin`.
        deployment: Its version, if deploys are to use Temporal's Worker Deployment Versioning.
    """
    return Worker(
        client,
        task_queue=task_queue,
        workflows=workflows,
        activities=[load_records, prepare_records],
        workflow_runner=workflow_runner(sandbox=sandbox),
        plugins=[BatchingPlugin(queue_url)],
        activity_executor=ThreadPoolExecutor(threads, thread_name_prefix="activity"),
        max_concurrent_workflow_tasks=workflow_slots,
        # Those that submit wait for each other, and must not keep others from loading.
        max_concurrent_local_activities=2 * workflow_slots,
        max_concurrent_workflow_task_polls=pollers,
        graceful_shutdown_timeout=GRACEFUL_SHUTDOWN,
        deployment_config=deployment_config(deployment),
    )
