#!/usr/bin/env python3
"""Print how many history events a batcher needs for a record, with 100 submissions in a batch.

The script starts its own servers.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

import click
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from batching_demo.batcher_service.batcher.workflow import BatcherWorkflow
from batching_demo.batcher_service.worker import build_worker
from batching_demo.comparison.temporal_counts import batcher_counts_since, batcher_runs
from batching_demo.contracts.encoding import PreparedRecord, encode_records
from batching_demo.contracts.messages import SubmissionHeader
from batching_demo.contracts.names import SUBMIT_SIGNAL, batcher_workflow_id
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.database.engine import create_engine
from batching_demo.database.schema.migrations import migrate
from batching_demo.devstack.ports import find_free_port
from batching_demo.devstack.postgres import PostgresServer
from batching_demo.operator.start import start_batchers

RECORDS = 2_000
SIGNALS_AT_ONCE = 20


async def send(client: Client, number: int) -> None:
    """Submit one record to the batcher."""
    encoded = encode_records([PreparedRecord(f"key-{number}", number, "{}", bytes(32))])
    header = SubmissionHeader(f"s{number}", "", 1, len(encoded), "history_events")
    batcher = client.get_workflow_handle(batcher_workflow_id(0))
    await batcher.signal(SUBMIT_SIGNAL, args=[[header], encoded])


async def measure(client: Client, url: str) -> float:
    """Submit records one by one, and return the batcher's history events for each."""
    engine = create_engine(url, application_name="history events")
    await start_batchers(client, 1, BatcherSettings())
    turn = asyncio.Semaphore(SIGNALS_AT_ONCE)

    async def one(number: int) -> None:
        async with turn:
            await send(client, number)

    async with build_worker(client, engine, 5):
        before = await batcher_runs(client, 1)
        await asyncio.gather(*(one(number) for number in range(RECORDS)))
        batcher = client.get_workflow_handle(batcher_workflow_id(0))
        while (await batcher.query(BatcherWorkflow.status)).totals.verdicts != {
            "written": RECORDS,
            "duplicate": 0,
            "conflict": 0,
            "rejected": 0,
        }:
            await asyncio.sleep(0.1)
        counts = await batcher_counts_since(client, before)
    await engine.dispose()
    return counts.events / RECORDS


async def run(directory: Path) -> float:
    """Start servers, measure and stop them."""
    postgres = PostgresServer(directory / "postgres", find_free_port())
    postgres.initialise()
    postgres.start()
    try:
        await migrate(postgres.url, application_name="history events")
        environment = await WorkflowEnvironment.start_local(
            dev_server_existing_path=str(Path(sys.executable).with_name("temporal")),
            dev_server_log_level="error",
        )
        async with environment:
            return await measure(environment.client, postgres.url)
    finally:
        postgres.stop("immediate")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="batching-demo-") as name:
        Path(name).chmod(0o755)
        events = asyncio.run(run(Path(name)))
    click.echo(f"{events:.2f} history events of the batcher per record, over {RECORDS} records")
