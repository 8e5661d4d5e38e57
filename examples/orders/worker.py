"""Run a worker of the order workflows: `python -m examples.orders.worker`."""

import asyncio
import os
import sys
from collections.abc import Coroutine
from typing import Any

from temporalio.client import Client
from temporalio.worker import Worker

from batching_demo.requester.submitter import Submitter
from batching_demo.settings import Settings
from batching_demo.temporal import connect, run_until_stopped
from examples.orders.prepare import prepare_order
from examples.orders.workflow import OrderWorkflow

TASK_QUEUE = "orders"


def build_worker(client: Client) -> Worker:
    """Build a worker; it submits for all workflows that it runs."""
    return Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[OrderWorkflow],
        activities=[prepare_order, Submitter(client).submit_to_batcher],
    )


async def _main() -> None:
    client = await connect(Settings.from_environment(os.environ))
    await run_until_stopped(build_worker(client), started=lambda: print("polls", TASK_QUEUE))  # noqa: T201


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run work as a process; Python is not finalised, which Temporal's threads may abort."""
    asyncio.run(work)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    run(_main())
