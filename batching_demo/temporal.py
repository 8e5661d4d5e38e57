"""Connect to Temporal, and run a worker until it is told to stop."""

import asyncio
import gc
import logging
import os
import re
import signal
from collections.abc import Callable
from datetime import timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client, PayloadLimitsConfig
from temporalio.envconfig import ClientConfig
from temporalio.service import GrpcCompression, RPCError
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from batching_demo.settings import Settings, SettingsError

TEMPORAL_ADDRESS = "TEMPORAL_ADDRESS"
"""The variable of temporalio.envconfig."""
DEFAULT_ADDRESS = "localhost:7233"
GRACEFUL_SHUTDOWN = timedelta(seconds=70)
"""Longer than an activity may take, so that a write in flight is finished."""
LONGEST_RETRY_SECONDS = 15.0
DEFAULT_POLLERS = 5
KILLED_BY_SECOND_SIGNAL = 130
LARGE_PAYLOADS = PayloadLimitsConfig(payloads_warn_size=1024 * 1024)
"""A batcher whose buffer is full carries half of that on, which is nothing to warn of."""
COLLECTION_THRESHOLDS = 700, 3, 1
"""Of `gc.set_threshold`; a busy worker's old objects are looked at every two to ten seconds."""
logger = logging.getLogger(__name__)


class TemporalUnavailableError(Exception):
    """Temporal does not answer; the message names the address and what to do."""


async def connect(settings: Settings) -> Client:
    """Connect as temporalio.envconfig says, else to the embedded server, else to localhost.

    Raises:
        SettingsError: a TEMPORAL_* variable or the configuration file is wrong.
        TemporalUnavailableError: nothing answers there.
    """
    try:
        config = ClientConfig.load_client_connect_config()
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise SettingsError(f"Temporal's client configuration: {error}") from None
    embedded = settings.devstack.temporal_address if settings.devstack else DEFAULT_ADDRESS
    config.setdefault("target_host", embedded)
    try:
        return await Client.connect(
            **config,
            payload_limits=LARGE_PAYLOADS,
            # Records are deflated already; gzip took a sixth of what a slice costs the server.
            grpc_compression=GrpcCompression.NONE,
        )
    except (RPCError, RuntimeError) as error:
        raise TemporalUnavailableError(
            f"Temporal does not answer at {config.get('target_host')} ({_cause(error)}):"
            " start one with `batching-demo dev up`, or set TEMPORAL_ADDRESS"
        ) from None


def _cause(error: Exception) -> str:
    """Shorten what the SDK says of a failed connection to its last cause."""
    causes = re.findall(r'message: "([^"]+)"', str(error))
    return causes[-1] if causes else (str(error).strip().splitlines() or [type(error).__name__])[0]


async def connect_patiently(settings: Settings) -> Client:
    """Connect like `connect`, trying again for as long as nothing answers; say so each time."""
    pause = 1.0
    while True:
        try:
            return await connect(settings)
        except TemporalUnavailableError as error:
            logger.warning("%s; trying again in %.0f s", error, pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_RETRY_SECONDS)


async def has_pollers(client: Client, task_queue: str, since: float = 0.0) -> bool:
    """Tell whether some worker has polled a task queue in the last minutes.

    Args:
        client: of the namespace.
        task_queue: its name.
        since: by the server's clock, in seconds since the epoch; earlier polls do not count, say
            those of a worker that is gone.
    """
    description = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=task_queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
    )
    polled = (poller.last_access_time.ToMilliseconds() for poller in description.pollers)
    return any(at >= since * 1000 for at in polled)


async def wait_for_pollers(client: Client, *task_queues: str, since: float = 0.0) -> None:
    """Wait until some worker has polled each task queue, see `has_pollers`."""
    for task_queue in task_queues:
        while not await has_pollers(client, task_queue, since):
            await asyncio.sleep(0.05)


def workflow_runner() -> SandboxedWorkflowRunner:
    """Make a sandbox that does not import our modules again for every workflow.

    That took about a fifth of what a short workflow costs its worker. What they may import is
    checked when they are linted, and replaying recorded histories tells whether they are
    deterministic.
    """
    passed = SandboxRestrictions.default.with_passthrough_modules("batching_demo")
    return SandboxedWorkflowRunner(restrictions=passed)


async def run_until_stopped(worker: Worker, started: Callable[[], None]) -> None:
    """Poll until SIGINT or SIGTERM, then finish what is running; a second signal leaves at once."""
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(KILLED_BY_SECOND_SIGNAL)
        logger.info("stopping: finishing what is running; once more to leave at once")
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    async with worker:
        collect_closed_runs_soon()
        started()
        await stop.wait()


def collect_closed_runs_soon() -> None:
    """Collect all garbage every few seconds, which is cheap without what is there already.

    A closed workflow run is a cycle of few objects, all of them old, that hold what it carried
    on, megabytes maybe; by Python's defaults minutes' worth of them pile up.
    """
    gc.collect()
    gc.freeze()
    gc.collect()  # Python compares what is new with what the last collection left.
    gc.set_threshold(*COLLECTION_THRESHOLDS)
