"""Run a worker of the batcher service that writes to the table of orders."""

import asyncio
import os
import sys

from batching_demo import TargetError, build_batcher_worker, create_engine
from examples.orders.table import ORDERS
from examples.orders.worker import connect

CONNECTIONS = 10


async def main() -> None:
    """Poll until interrupted."""
    url = os.environ["DATABASE_URL"]
    engine = create_engine(url, application_name="orders", pool_size=CONNECTIONS)
    async with build_batcher_worker(await connect(), engine, CONNECTIONS, target=ORDERS):
        print("polls batcher-queue", flush=True)  # noqa: T201
        await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except TargetError as error:
        sys.exit(str(error))
