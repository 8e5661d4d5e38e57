"""Start order workflows and count what became of their rows: `python -m examples.orders.start`."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Sequence

from temporalio.client import Client

from batching_demo.settings import Settings
from batching_demo.temporal import connect
from examples.orders.prepare import Order
from examples.orders.worker import TASK_QUEUE, run
from examples.orders.workflow import OrderInput, OrderWorkflow


async def start(client: Client, orders: Sequence[Order], linger_seconds: float) -> Counter[str]:
    """Run a workflow for every order at once, and count the verdicts."""

    async def verdict_of(order: Order) -> str:
        return await client.execute_workflow(
            OrderWorkflow.run,
            OrderInput(order, linger_seconds),
            id=f"order-{order.order_id}",
            task_queue=TASK_QUEUE,
        )

    return Counter(await asyncio.gather(*(verdict_of(order) for order in orders)))


async def _main(number: int, linger_seconds: float) -> None:
    client = await connect(Settings.from_environment(os.environ))
    orders = [Order(f"A-{index}", "apple", index) for index in range(number)]
    print(dict(await start(client, orders, linger_seconds)))  # noqa: T201


if __name__ == "__main__":
    run(_main(int(sys.argv[1]), float(sys.argv[2])))
