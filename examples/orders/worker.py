"""Run a worker of the order workflows: `python -m examples.orders.worker`."""

import asyncio
import os

from temporalio.client import Client
from temporalio.worker import Worker

from batching_demo import BatchingPlugin
from examples.orders.workflow import OrderWorkflow

TASK_QUEUE = "orders"


def build_worker(client: Client) -> Worker:
    """Return a worker whose workflows may use a requester."""
    return Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[OrderWorkflow],
        plugins=[BatchingPlugin()],
    )


async def connect() -> Client:
    """Connect to the server that the environment names."""
    return await Client.connect(
        os.environ.get("TEMPORAL_ADDRESS", "localhost:7233"),
        namespace=os.environ.get("TEMPORAL_NAMESPACE", "default"),
    )


async def main() -> None:
    """Poll until interrupted."""
    async with build_worker(await connect()):
        print("polls", TASK_QUEUE, flush=True)  # noqa: T201
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
