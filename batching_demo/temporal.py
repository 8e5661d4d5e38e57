"""Connect to Temporal, and run a worker until a signal stops it."""

import asyncio
import gc
import logging
import os
import re
import signal
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client, PayloadLimitsConfig
from temporalio.envconfig import ClientConfig
from temporalio.service import GrpcCompression, RPCError
from temporalio.worker import Worker

from batching_demo.contracts.errors import UserError
from batching_demo.settings import Settings, SettingsError

TEMPORAL_ADDRESS = "TEMPORAL_ADDRESS"
"""A variable of temporalio.envconfig."""
DEFAULT_ADDRESS = "localhost:7233"
GRACEFUL_SHUTDOWN = timedelta(seconds=70)
"""Longer than an activity may take, so that a write in flight ends."""
LONGEST_RETRY_SECONDS = 15.0
DEFAULT_POLLERS = 5
KILLED_BY_SECOND_SIGNAL = 130
LARGE_PAYLOADS = PayloadLimitsConfig(payloads_warn_size=1024 * 1024)
"""The SDK warns of larger payloads; a batcher with a full buffer carries half as much over."""
COLLECTION_THRESHOLDS = 700, 3, 1
"""For `gc.set_threshold`: a busy worker then looks at old objects every two to ten seconds."""
logger = logging.getLogger(__name__)


class TemporalUnavailableError(UserError):
    """Temporal does not answer; the message names the address and what to do."""


async def connect(settings: Settings) -> Client:
    """Connect to the server that temporalio.envconfig names, else the embedded one, else localhost.

    Raises:
        SettingsError: a TEMPORAL_* variable or the configuration file is wrong.
        TemporalUnavailableError: no server answers there.
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
            f"Temporal does not answer at {config.get('target_host')} ({last_cause(str(error))}):"
            " start one with `batching-demo dev up`, or set TEMPORAL_ADDRESS"
        ) from None


def last_cause(message: str) -> str:
    """Shorten the message of the SDK about a failed connection to its last cause, one line."""
    causes: list[str] = re.findall(r'message: "([^"]+)"', message)
    lines = [line.strip() for text in (*reversed(causes), message) for line in text.splitlines()]
    return next(filter(None, lines), "no reason given")


async def connect_with_retries(settings: Settings) -> Client:
    """Connect like `connect`; as long as no server answers, log that and try again."""
    pause = 1.0
    while True:
        try:
            return await connect(settings)
        except TemporalUnavailableError as error:
            logger.warning("%s; trying again in %.0f s", error, pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_RETRY_SECONDS)


async def has_pollers(client: Client, task_queue: str, since: float = 0.0) -> bool:
    """Return whether a worker has polled a task queue in the last minutes.

    Args:
        client: of the namespace.
        task_queue: its name.
        since: seconds since the epoch, by the clock of the server. Earlier polls do not count,
            such as those of a worker that has ended.
    """
    pollers = await _pollers(client, task_queue)
    return any(_polled_at(poller) >= since for poller in pollers)


async def poller_names(client: Client, task_queue: str, *, within: float) -> list[str]:
    """Return the names of the workers that have polled a task queue lately.

    Args:
        client: of the namespace.
        task_queue: its name.
        within: how many seconds ago, at most, by this machine's clock.
    """
    pollers = await _pollers(client, task_queue)
    since = time.time() - within
    return sorted(poller.identity for poller in pollers if _polled_at(poller) >= since)


async def _pollers(client: Client, task_queue: str) -> Sequence[PollerInfo]:
    description = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=task_queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
    )
    return description.pollers


def _polled_at(poller: PollerInfo) -> float:
    """Return when a worker has polled, in seconds since the epoch."""
    return poller.last_access_time.ToMilliseconds() / 1000


async def wait_for_pollers(client: Client, *task_queues: str, since: float = 0.0) -> None:
    """Wait until workers have polled all of these task queues, as `has_pollers` sees it."""
    for task_queue in task_queues:
        while not await has_pollers(client, task_queue, since):
            await asyncio.sleep(0.05)


async def run_until_stopped(worker: Worker, started: Callable[[], None]) -> None:
    """Poll until SIGINT or SIGTERM, then finish what runs; a second signal ends the process."""
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(KILLED_BY_SECOND_SIGNAL)
        logger.info("stopping: finishing what is running; a second signal ends at once")
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    async with worker:
        collect_closed_runs_soon()
        started()
        await stop.wait()


def collect_closed_runs_soon() -> None:
    """Make Python collect all garbage every few seconds, without the objects that exist now.

    A closed workflow run is a cycle of a few old objects that may hold megabytes. By the defaults
    of Python, the runs of some minutes pile up.
    """
    gc.collect()
    gc.freeze()
    gc.collect()  # Python compares the number of new objects with what the last collection left.
    gc.set_threshold(*COLLECTION_THRESHOLDS)
