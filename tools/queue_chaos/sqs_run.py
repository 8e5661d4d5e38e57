"""One run on a queue of SQS, as moto emulates it: stop Postgres, and start consumers again."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from batching_demo.batcher_service.queues.sqs.status import queue_status
from batching_demo.database.schema.migrations import migrate
from batching_demo.devstack.ports import find_free_port
from batching_demo.devstack.postgres import PostgresServer
from batching_demo.queue_servers.sqs_address import SqsAddress
from batching_demo.queue_servers.sqs_client import open_client
from tools.queue_chaos.consumers import Consumers
from tools.queue_chaos.emptying import wait_until_empty
from tools.queue_chaos.load import POISONS, bodies, send_to_sqs
from tools.queue_chaos.result import APPLICATION, Result
from tools.queue_chaos.sqs_server import ENVIRONMENT, counts, create_queue, running_sqs
from tools.system import system_directory

MAX_RECEIVE_COUNT = 3
RESTART_SECONDS = 5.0
"""Between two restarts of a consumer in an outage."""
Report = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What a run does."""

    messages: int
    seconds: float
    """How long messages are sent. The outage begins after a third of it."""
    outage_seconds: float
    consumers: int


async def run(plan: Plan, report: Report) -> Result:
    """Start servers and consumers, stop Postgres meanwhile, and return what is left."""
    os.environ.update(ENVIRONMENT)
    with system_directory("queue-chaos") as directory, running_sqs() as server:
        postgres = PostgresServer(directory / "postgres", find_free_port())
        try:
            await asyncio.to_thread(postgres.initialise)
            await asyncio.to_thread(postgres.start)
            await migrate(postgres.url, application_name=APPLICATION)
            return await _run(plan, postgres, server, directory, report)
        finally:
            postgres.stop("immediate")


async def _run(
    plan: Plan, postgres: PostgresServer, server: str, directory: Path, report: Report
) -> Result:
    result = Result(plan.messages - POISONS, {"invalid_json": POISONS})
    account = SqsAddress.parse(f"sqs://{server.removeprefix('http://')}/0/0", server)
    async with open_client(account) as client:
        address, dead = await create_queue(
            client, server, "orders", max_receive_count=MAX_RECEIVE_COUNT
        )
        options = ["--from", str(address), "--endpoint-url", server, "--linger", "0.2", "--quiet"]
        own = {"DATABASE_URL": postgres.url, "XDG_STATE_HOME": str(directory), "HOME": "/"}
        log = directory / "workers.log"
        consumers = Consumers(plan.consumers, options, {**ENVIRONMENT, **own}, log)
        try:
            sending = asyncio.create_task(
                send_to_sqs(address, bodies(plan.messages, has_killer=False), plan.seconds)
            )
            await asyncio.sleep(plan.seconds / 3)
            restarts = await _stop_postgres(plan, postgres, consumers, report)
            result.done = {"Postgres stopped": 1, "consumers restarted": restarts}
            await sending
            report("all is sent; waiting until the queue is empty")
            result.left = await wait_until_empty(lambda: queue_status(client, address), consumers)
            result.given_up = sum(await counts(client, dead))
        finally:
            await asyncio.to_thread(consumers.stop)
    result.deaths = consumers.deaths
    await result.count(postgres.url)
    return result


async def _stop_postgres(
    plan: Plan, postgres: PostgresServer, consumers: Consumers, report: Report
) -> int:
    """Stop Postgres for a while, and return how often a consumer was started again meanwhile.

    A supervisor may do that. A consumer that received something at each start would use up what the
    queue allows.
    """
    clock = asyncio.get_running_loop().time
    await asyncio.to_thread(postgres.stop, "immediate")
    report(f"Postgres is stopped for {plan.outage_seconds:.0f} s")
    end = clock() + plan.outage_seconds
    restarts = 0
    while (left := end - clock()) > 0:
        await asyncio.sleep(min(left, RESTART_SECONDS))
        await asyncio.to_thread(consumers.restart, restarts % plan.consumers)
        restarts += 1
    await asyncio.to_thread(postgres.start)
    report(f"Postgres is there again; a consumer was started again {restarts} times")
    return restarts
