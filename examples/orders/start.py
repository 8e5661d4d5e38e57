"""Start order workflows and count their verdicts: `python -m examples.orders.start 20`."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Sequence

from temporalio.client import Client

from examples.orders.worker import TASK_QUEUE, connect
from examples.orders.workflow import Order, OrderWorkflow


async def start(client: Client, orders: Sequence[Order]) -> Counter[str]:
    """Run a workflow for every order at once, and count the verdicts."""

    async def verdict_of(order: Order) -> str:
        return await client.execute_workflow(
            OrderWorkflow.run, order, id=f"order-{order.order_id}", task_queue=TASK_QUEUE
        )

    return Counter(await asyncio.gather(*map(verdict_of, orders)))


async def main(number: int) -> None:
    """Start so many orders, and print what became of them."""
    orders = [Order(f"A-{index}", "apple", index) for index in range(number)]
    print(dict(await start(await connect(), orders)), flush=True)  # noqa: T201
    # Python is not finalised, which a thread of Temporal's runtime may abort.
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
