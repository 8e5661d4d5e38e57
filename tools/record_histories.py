#!/usr/bin/env python3
"""Record the histories that tests/replay replays.

Run this script after a change that adds commands to a workflow. Where an old history no longer
replays, running workflows would fail, too: guard the change with `workflow.patched`, or drain them
first. Keep the old files that workflows in production may still have.
"""

import asyncio
import gzip
import os
import shutil
import socket
import sys
import tempfile
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from batching_demo.batcher_service import worker as batcher_worker
from batching_demo.batcher_service.batcher.workflow import BatcherWorkflow
from batching_demo.contracts.identity import DATABASE_WORKFLOW_ID
from batching_demo.contracts.names import WritePath, batcher_workflow_id
from batching_demo.contracts.operations import BatcherSettings, Changes, Update
from batching_demo.contracts.retries import RetryInput
from batching_demo.database.dead_letters.queries import Selection, find_dead_letters
from batching_demo.database.engine import create_engine
from batching_demo.database.schema.migrations import migrate
from batching_demo.devstack.ports import find_free_port
from batching_demo.devstack.postgres import PostgresServer
from batching_demo.devstack.valkey import ValkeyServer
from batching_demo.main_service import worker as main_worker
from batching_demo.main_service.files.inspect import inspect
from batching_demo.main_service.files.slice import work_of
from batching_demo.main_service.messages import RunOptions
from batching_demo.main_service.samples import FLIGHTS_KEY, flights
from batching_demo.main_service.starter import Starter
from batching_demo.main_service.summary import SliceResult
from batching_demo.operator.identity import ask_identity
from batching_demo.operator.requests import ask_status, request
from batching_demo.operator.retries import RetryRequest, retry_dead_letter
from batching_demo.operator.start import start_batchers
from tools.recorded_orders import TASK_QUEUE as ORDERS_TASK_QUEUE
from tools.recorded_orders import Order, OrderWorkflow
from tools.recorded_orders import build_worker as orders_worker

HISTORIES = Path(__file__).parents[1] / "tests" / "replay" / "histories"
SUGGEST_EARLY = ["--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=60"]
NAMESPACES = ("plain", "outage", "retry", "control", "orders", "queued")
QUICK = BatcherSettings(max_records=5, linger_seconds=0.5)


@dataclass
class Servers:
    """The servers that a scenario runs on."""

    postgres: PostgresServer
    engine: AsyncEngine
    address: str
    directory: Path


async def record_plain(servers: Servers) -> None:
    """Write flights on all paths and one dead letter, over several runs of the batcher."""
    async with services(servers, "plain") as client:
        key = list(FLIGHTS_KEY)
        sample = servers.directory / "flights.csv"
        shutil.copy(flights(), sample)
        await save(client, (await load(client, sample, 40, RunOptions(key)))[0], "main_batched")
        unbatched = RunOptions(key, write_path=WritePath.UNBATCHED)
        await save(client, (await load(client, sample, 1, unbatched))[0], "main_unbatched")
        coalesced = RunOptions(key, write_path=WritePath.COALESCED)
        await save(client, (await load(client, sample, 100, coalesced))[0], "main_coalesced")
        letters = servers.directory / "letters.ndjson"
        letters.write_text('{"id": 1}\n{"id": 1, "other": true}\n{"id": null}\n')
        options = RunOptions(["id"], records_per_workflow=3)
        await save(client, (await load(client, letters, 3, options))[0], "main_dead_letters")
        await ask_identity(client)
        await save(client, DATABASE_WORKFLOW_ID, "database")
    await save_first_and_last_run(client, "batcher")


async def record_outage(servers: Servers) -> None:
    """Stop Postgres until the batcher answers busy, then start it and wait for all writes."""
    path = servers.directory / "large.ndjson"
    text = b64encode(os.urandom(60_000)).decode()
    path.write_text("".join(f'{{"id": {number}, "text": "{text}"}}\n' for number in range(30)))
    async with services(servers, "outage") as client:
        servers.postgres.stop("immediate")
        loading = asyncio.create_task(load(client, path, 30, RunOptions(["id"])))
        batcher = client.get_workflow_handle(batcher_workflow_id(0))
        while (status := await batcher.query(BatcherWorkflow.status)).totals.turned_away == 0:
            await asyncio.sleep(0.5)
        assert status.consecutive_failures > 0
        servers.postgres.start()
        main_ids = await loading
        lengths = {
            name: (await client.get_workflow_handle(name).describe()).history_length
            for name in main_ids
        }
        await save(client, max(lengths, key=lambda name: lengths[name]), "main_turned_away")
    await save_first_and_last_run(client, "batcher_outage")


async def record_retry(servers: Servers) -> None:
    """Retry a dead letter with a payload that conflicts again, then with one that is stored."""
    path = servers.directory / "conflict.ndjson"
    path.write_text('{"id": "retried"}\n{"id": "retried", "other": true}\n')
    async with services(servers, "retry") as client:
        await load(client, path, 2, RunOptions(["id"], records_per_workflow=2))
        (letter,) = await find_dead_letters(servers.engine, Selection(source=path.name))
        for attempt, key in ((2, None), (3, "corrected")):
            retry = RetryRequest(
                RetryInput(letter.id, attempt, QUICK.linger_seconds, key), b'{"n": 1}'
            )
            await retry_dead_letter(client, retry)
            name = f"retry_{'stored' if key else 'conflict'}"
            await save(client, retry.input.workflow_id, name)


async def record_control(servers: Servers) -> None:
    """Send a batcher every request of an operator, and stop it."""
    path = servers.directory / "control.ndjson"
    path.write_text("".join(f'{{"id": "control {number}"}}\n' for number in range(30)))
    async with services(servers, "control") as client:
        await request(client, 0, Update.PAUSE)
        loading = asyncio.create_task(load(client, path, 30, RunOptions(["id"])))
        while (await ask_status(client, 0)).buffered_records < 30:
            await asyncio.sleep(0.1)
        changes = Changes(max_records=8)
        for update in (Update.RESUME, Update.FLUSH, Update.DRAIN):
            await request(client, 0, Update.CONFIGURE, changes)
            await request(client, 0, update)
        await loading
        await request(client, 0, Update.STOP)
        await client.get_workflow_handle(batcher_workflow_id(0)).result()
        await save_first_and_last_run(client, "batcher_control")


async def record_orders(servers: Servers) -> None:
    """Have a workflow of one's own store a record that is in conflict."""
    async with services(servers, "orders", "queued") as client, orders_worker(client):
        # A replay has the history's name for its workflow id, which names submissions.
        for name, item in (("first", "apple"), ("own_workflow", "pear")):
            await client.execute_workflow(
                OrderWorkflow.run, Order("1", item, 1), id=name, task_queue=ORDERS_TASK_QUEUE
            )
        await save(client, "own_workflow", "own_workflow")


async def record_queued(servers: Servers) -> None:
    """Submit through a queue that is out of memory at first."""
    path = servers.directory / "queued.ndjson"
    path.write_text("".join(f'{{"id": "queued {number}"}}\n' for number in range(4)))
    valkey = ValkeyServer(servers.directory / "valkey", find_free_port())
    valkey.start()
    try:
        async with (
            Redis.from_url(valkey.url) as redis,
            services(servers, "queued", valkey.url) as client,
        ):
            await redis.config_set("maxmemory", 1)
            options = RunOptions(["id"], 4, QUICK, write_path=WritePath.QUEUED)
            loading = asyncio.create_task(load(client, path, 4, options))
            await asyncio.sleep(5)
            await redis.config_set("maxmemory", 0)
            await save(client, (await loading)[0], "main_queued")
    finally:
        valkey.stop()


async def load(client: Client, path: Path, records: int, options: RunOptions) -> list[str]:
    """Load records, and return the ids of the main workflows."""
    source = inspect(path, format=None, delimiter=",", key_columns=options.key_columns).source
    outcomes: list[SliceResult] = []
    starter = Starter(client, options, on_result=outcomes.append)
    await starter.run(work_of(source, options.records_per_workflow, limit=records))
    return [outcome.workflow_id for outcome in outcomes]


async def save_first_and_last_run(client: Client, name: str) -> None:
    """Save the first run of a batcher, and the last one, which continues an earlier run."""
    last = await client.get_workflow_handle(batcher_workflow_id(0)).describe()
    first = last.raw_description.workflow_execution_info.first_run_id
    await save(client, batcher_workflow_id(0), f"{name}_first_run", first)
    if first != last.run_id:
        await save(client, batcher_workflow_id(0), f"{name}_later_run", last.run_id)


async def save(client: Client, workflow_id: str, name: str, run_id: str | None = None) -> None:
    """Write one history to its file, without the name of this machine."""
    history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
    anonymous = history.to_json().replace(f"@{socket.gethostname()}", "@host")
    packed = gzip.compress(anonymous.encode(), mtime=0)
    (HISTORIES / f"{name}.json.gz").write_bytes(packed)


@asynccontextmanager
async def services(servers: Servers, namespace: str, queue_url: str = "") -> AsyncIterator[Client]:
    """Run both workers and a batcher in a namespace."""
    client = await Client.connect(servers.address, namespace=namespace)
    await start_batchers(client, 1, QUICK)
    async with (
        batcher_worker.build_worker(client, servers.engine, 5, queue_url=queue_url),
        main_worker.build_worker(client, queue_url=queue_url),
    ):
        yield client


async def main() -> None:
    """Start servers, record all scenarios and stop the servers."""
    directory = Path(tempfile.mkdtemp(prefix="batching-demo-"))
    directory.chmod(0o755)
    postgres = PostgresServer(directory / "postgres", find_free_port())
    postgres.initialise()
    postgres.start()
    await migrate(postgres.url, application_name="record histories")
    engine = create_engine(postgres.url, application_name="record histories")
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(Path(sys.executable).with_name("temporal")),
        dev_server_extra_args=[*SUGGEST_EARLY, *(f"--namespace={name}" for name in NAMESPACES)],
    )
    async with environment:
        address = environment.client.service_client.config.target_host
        servers = Servers(postgres, engine, address, directory)
        await record_plain(servers)
        await record_outage(servers)
        await record_retry(servers)
        await record_control(servers)
        await record_orders(servers)
        await record_queued(servers)
    await engine.dispose()
    postgres.stop()
    shutil.rmtree(directory)


if __name__ == "__main__":
    asyncio.run(main())
