"""Run a worker of ours until a signal stops it."""

import asyncio
import gc
from collections.abc import Callable
from datetime import timedelta

from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from batching_demo.stopping import stop_on_signals

GRACEFUL_SHUTDOWN = timedelta(seconds=70)
"""Longer than an activity may take, so that a write in flight ends."""
COLLECTION_THRESHOLDS = 700, 3, 1
"""For `gc.set_threshold`: a busy worker then looks at old objects every two to ten seconds."""


def workflow_runner(*, sandbox: bool) -> WorkflowRunner:
    """Return what runs the workflows of a worker of ours.

    The sandbox of the SDK refuses calls that are not deterministic, such as that of a clock. Our
    workflows make none: `scripts/lint` and the tests see to that, and the tests run them within it.
    Without it, a short workflow takes its worker a third less CPU time.

    Args:
        sandbox: Whether they run within it all the same.
    """
    return SandboxedWorkflowRunner() if sandbox else UnsandboxedWorkflowRunner()


async def run_until_stopped(worker: Worker, started: Callable[[asyncio.Event], None]) -> None:
    """Poll until a signal to stop, then finish what runs; a second signal ends the process.

    Args:
        worker: Polls.
        started: Is called once it does, with the event that a signal to stop sets.
    """
    stop = stop_on_signals()
    async with worker:
        collect_closed_runs_soon()
        started(stop)
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
