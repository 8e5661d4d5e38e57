#!/usr/bin/env python3
"""Record the histories that tests/replay replays; run it after workflow code has changed.

A changed file here means that running workflows may break: use `workflow.patched`, or drain them
first. Keep old files that workflows in production may still have.
"""

import asyncio
import shutil
import socket
import sys
import tempfile
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from batching_demo.batcher_service import worker as batcher_worker
from batching_demo.batcher_service.starter import start_batchers
from batching_demo.contracts import BatcherSettings, WritePath, batcher_workflow_id
from batching_demo.database.engine import create_engine, create_transactional_engine
from batching_demo.database.migrations import upgrade
from batching_demo.devstack.ports import find_free_port
from batching_demo.devstack.postgres import PostgresServer
from batching_demo.main_service import worker as main_worker
from batching_demo.main_service.run_options import RunOptions
from batching_demo.main_service.samples import FLIGHTS_KEY, flights
from batching_demo.main_service.sources import inspect, slices
from batching_demo.main_service.starter import Starter

HISTORIES = Path(__file__).parents[1] / "tests" / "replay" / "histories"
SUGGEST_EARLY = ["--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=60"]


async def record(client: Client, engine: AsyncEngine) -> None:
    """Run every workflow through what it can do, and save what happened."""
    await start_batchers(client, 1, BatcherSettings(max_records=5, linger_seconds=0.5))
    async with batcher_worker.build_worker(client, engine, 5), main_worker.build_worker(client):
        batched = await load(client, 40, RunOptions(key_columns=list(FLIGHTS_KEY)))
        await save(client.get_workflow_handle(batched), "main_batched")
        options = RunOptions(key_columns=list(FLIGHTS_KEY), write_path=WritePath.UNBATCHED)
        await save(client.get_workflow_handle(await load(client, 1, options)), "main_unbatched")
    batcher = client.get_workflow_handle(batcher_workflow_id(0))
    last = await batcher.describe()
    first = last.raw_description.workflow_execution_info.first_run_id
    runs = {"batcher_first_run": first, "batcher_later_run": last.run_id}
    for name, run_id in runs.items():
        await save(client.get_workflow_handle(batcher.id, run_id=run_id), name)


async def load(client: Client, records: int, options: RunOptions) -> str:
    """Load some flights; give back the id of the first main workflow."""
    # A path that tells nothing of the machine: it ends up in the history.
    path = Path(shutil.copy(flights(), tempfile.gettempdir()))
    source = inspect(path, format=None, delimiter=",", key_columns=FLIGHTS_KEY).source
    starter = Starter(client, source, options)
    await starter.run(slices(source, 1, limit=records))
    return starter.outcomes[0].workflow_id


async def save(handle: WorkflowHandle[object, object], name: str) -> None:
    """Write one history, without the name of this machine."""
    history = (await handle.fetch_history()).to_json()
    (HISTORIES / f"{name}.json").write_text(history.replace(f"@{socket.gethostname()}", "@host"))


async def main() -> None:
    """Start servers of our own, record, and stop them."""
    directory = Path(tempfile.mkdtemp(prefix="batching-demo-"))
    directory.chmod(0o755)
    postgres = PostgresServer(directory / "postgres", find_free_port())
    postgres.initialise()
    postgres.start()
    migration = create_transactional_engine(postgres.url, application_name="record histories")
    async with migration.connect() as connection:
        await connection.run_sync(upgrade)
    engine = create_engine(postgres.url, application_name="record histories")
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(Path(sys.executable).with_name("temporal")),
        dev_server_extra_args=SUGGEST_EARLY,
    )
    async with environment:
        await record(environment.client, engine)
    await engine.dispose()
    postgres.stop()
    shutil.rmtree(directory)


if __name__ == "__main__":
    asyncio.run(main())
