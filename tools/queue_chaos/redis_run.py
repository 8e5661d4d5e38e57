"""One run on a stream: kill consumers and the server at random moments."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from uuid import uuid4

from batching_demo.batcher_service.queues.opening import look_at
from batching_demo.batcher_service.queues.redis_streams.options import StreamOptions
from batching_demo.database.schema.migrations import migrate
from batching_demo.devstack.ports import find_free_port
from batching_demo.devstack.postgres import PostgresServer
from batching_demo.devstack.valkey import ValkeyServer
from batching_demo.queue_servers.stream_address import StreamAddress
from tools.queue_chaos.consumers import Consumers
from tools.queue_chaos.emptying import LOOK_SECONDS, wait_until_empty
from tools.queue_chaos.load import POISONS, bodies, send_to_stream
from tools.queue_chaos.result import APPLICATION, Result
from tools.system import system_directory

FSYNC = ("--appendfsync", "always")
Report = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What a run does."""

    messages: int
    kills: int
    seconds: float
    """How long messages are sent and processes are killed."""
    consumers: int
    seed: int
    claim_after_seconds: float


async def run(plan: Plan, report: Report) -> Result:
    """Start servers and consumers, kill them at random moments, and return what is left."""
    with system_directory("queue-chaos") as directory:
        postgres = PostgresServer(directory / "postgres", find_free_port())
        valkey = ValkeyServer(directory / "valkey", find_free_port(), FSYNC)
        try:
            await asyncio.to_thread(postgres.initialise)
            await asyncio.to_thread(postgres.start)
            await asyncio.to_thread(valkey.start)
            await migrate(postgres.url, application_name=APPLICATION)
            return await run_on(plan, postgres.url, valkey, directory, report)
        finally:
            valkey.kill()
            postgres.stop("immediate")


async def run_on(
    plan: Plan, database_url: str, valkey: ValkeyServer, directory: Path, report: Report
) -> Result:
    """Do the same with a database and a Valkey that run, and sync every command to the disk."""
    address = StreamAddress.parse(f"{valkey.url}/chaos-{uuid4().hex[:8]}")
    sent = bodies(plan.messages, has_killer=True)
    letters = {"delivered_too_often": 1, "invalid_json": POISONS}
    result = Result(plan.messages - POISONS - 1, letters)
    options = ["--from", str(address), "--linger", "0.2", "--quiet"]
    options += ["--claim-after", str(plan.claim_after_seconds)]
    environment = {"DATABASE_URL": database_url, "XDG_STATE_HOME": str(directory), "HOME": "/"}
    consumers = Consumers(plan.consumers, options, environment, directory / "workers.log")
    try:
        sending = asyncio.create_task(send_to_stream(address, sent, plan.seconds))
        result.done = await _kill(plan, consumers, valkey, report)
        await sending
        report("all is sent; waiting until the stream is empty")
        result.left = await wait_until_empty(
            lambda: look_at(str(address), StreamOptions.group), consumers
        )
    finally:
        await asyncio.to_thread(consumers.stop)
    result.deaths = consumers.deaths
    await result.count(database_url)
    return result


async def _kill(
    plan: Plan, consumers: Consumers, valkey: ValkeyServer, report: Report
) -> Mapping[str, int]:
    random = Random(plan.seed)  # noqa: S311  # not for secrets
    moments = sorted(random.uniform(0, plan.seconds) for _ in range(plan.kills))
    started = asyncio.get_running_loop().time()
    killed = {"consumers killed": 0, "server killed": 0}
    for number, moment in enumerate(moments):
        while (left := started + moment - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(min(left, LOOK_SECONDS))
            consumers.supervise()
        # The first two are of different kinds, so that even a short run has both.
        is_server = number % 2 if number < 2 else random.random() < 0.5
        if is_server:
            await asyncio.to_thread(valkey.kill)
            await asyncio.to_thread(valkey.start)
        else:
            await asyncio.to_thread(consumers.kill, random.randrange(plan.consumers))
        killed["server killed" if is_server else "consumers killed"] += 1
        report(f"{moment:6.1f} s: killed {'the server' if is_server else 'a consumer'}")
    return killed
