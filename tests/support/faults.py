"""What the tests of faults share: a requester that collects, and a batcher whose bounds are low."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from batching_demo.batcher_service.activities import WriteActivities
from batching_demo.batcher_service.messages import BatcherStatus
from batching_demo.batcher_service.workflow import BatcherWorkflow
from batching_demo.contracts.encoding import PreparedRecord
from batching_demo.contracts.messages import BatcherSettings
from batching_demo.contracts.names import BATCHER_TASK_QUEUE, SUBMIT_SIGNAL, batcher_workflow_id
from batching_demo.database.engine import create_engine
from batching_demo.main_service.files.inspect import inspect
from batching_demo.main_service.files.slice import slices
from batching_demo.main_service.run_options import RunOptions
from batching_demo.main_service.starter import Starter
from batching_demo.main_service.summary import Summary
from tests.support.collector import Collector
from tests.support.helpers import eventually, scalar, submission

ROOT = Path(__file__).parents[2]
COLLECTORS = "collectors"


@asynccontextmanager
async def collecting(client: Client, *names: str) -> AsyncIterator[None]:
    """Run collectors under these workflow ids, and their worker."""
    for name in names:
        await client.start_workflow(Collector.run, id=name, task_queue=COLLECTORS)
    async with Worker(client, task_queue=COLLECTORS, workflows=[Collector]):
        yield


async def expect_answers(client: Client, name: str, expected: Mapping[str, str]) -> None:
    """Wait until a collector has these codes by submission, and no others."""

    async def check() -> None:
        assert await client.get_workflow_handle(name).query(Collector.answers) == expected

    await eventually(check, within=30)


@asynccontextmanager
async def patchable_batcher_service(client: Client, engine: AsyncEngine) -> AsyncIterator[None]:
    """Run a batcher worker whose workflow sees constants as a test has patched them."""
    activities = WriteActivities(engine, client, 5, BatcherSettings())
    restrictions = SandboxRestrictions.default.with_passthrough_modules("batching_demo")
    async with Worker(
        client,
        task_queue=BATCHER_TASK_QUEUE,
        workflows=[BatcherWorkflow],
        activities=[activities.write_batch, activities.answer_busy],
        workflow_runner=SandboxedWorkflowRunner(restrictions=restrictions),
    ):
        yield


def batcher(client: Client, shard: int = 0) -> WorkflowHandle[Any, Any]:
    return client.get_workflow_handle(batcher_workflow_id(shard))


async def status(client: Client, shard: int = 0) -> BatcherStatus:
    return await batcher(client, shard).query(BatcherWorkflow.status)


async def submit(
    client: Client,
    *submissions: tuple[str, Sequence[PreparedRecord]],
    requester: str = "nobody",
    shard: int = 0,
) -> None:
    """Signal submissions to a batcher, as a requester would."""
    made = [submission(name, records, requester) for name, records in submissions]
    headers, records = [header for header, _ in made], b"".join(encoded for _, encoded in made)
    await batcher(client, shard).signal(SUBMIT_SIGNAL, args=[headers, records])


async def execute(url: str, *statements: str) -> None:
    """Run statements on a connection of their own, each committed by itself."""
    engine = create_engine(url, application_name="tests")
    async with engine.connect() as connection:
        for statement in statements:
            await connection.exec_driver_sql(statement)
    await engine.dispose()


async def run_sql(engine: AsyncEngine, *statements: str) -> None:
    """Run statements of the operator's on a test's engine."""
    async with engine.connect() as connection:
        for statement in statements:
            await connection.exec_driver_sql(statement)


async def rows(engine: AsyncEngine) -> int:
    return int(str(await scalar(engine, "SELECT count(*) FROM records")))


async def expect_dead_letters(engine: AsyncEngine, expected: int) -> None:
    """Wait for dead letters: they are stored after the rows of their batch."""

    async def check() -> None:
        assert await scalar(engine, "SELECT count(*) FROM dead_letters") == expected

    await eventually(check, within=30)


async def expect_rows(engine: AsyncEngine, expected: int, *, within: float = 30) -> None:
    async def check() -> None:
        assert await rows(engine) == expected

    await eventually(check, within=within)


async def expect_error(client: Client, words: str) -> BatcherStatus:
    """Wait until a batcher says what is wrong."""

    async def check() -> BatcherStatus:
        found = await status(client)
        assert words in found.last_error
        return found

    return await eventually(check, within=30)


async def expect_answered_busy(client: Client, name: str, at_least: int) -> None:
    """Wait until a collector has been told that so many submissions have to wait."""

    async def check() -> None:
        told = await client.get_workflow_handle(name).query(Collector.turned_away)
        assert told >= at_least

    await eventually(check, within=60)


async def expect_buffered(client: Client, records: int) -> None:
    async def check() -> None:
        assert (await status(client)).buffered_records == records

    await eventually(check, within=30)


@asynccontextmanager
async def locked_table(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Hold a lock that lets nobody write records, until the end or a commit."""
    async with engine.connect() as connection:
        connection = await connection.execution_options(isolation_level="READ COMMITTED")
        await connection.exec_driver_sql("LOCK TABLE records IN SHARE MODE")
        yield connection


async def expect_waiting_writes(engine: AsyncEngine, number: int) -> None:
    """Wait until sessions of this database wait for a lock."""

    async def check() -> None:
        waiting = await scalar(
            engine,
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        assert waiting == number

    await eventually(check, within=30)


async def start_process(environment: Mapping[str, str], *command: str) -> Process:
    """Start a Python process of the project, its output piped."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        cwd=ROOT,
        env={**os.environ, **environment, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


def write_ndjson(path: Path, documents: Iterable[object]) -> Path:
    path.write_text("".join(json.dumps(document) + "\n" for document in documents))
    return path


async def load(client: Client, path: Path, **options: object) -> Summary:
    """Run main workflows over a file whose key is `id`, to the last verdict."""
    source = inspect(path, format=None, delimiter=",", key_columns=["id"]).source
    run_options = RunOptions(key_columns=["id"], **options)  # type: ignore[arg-type]
    starter = Starter(client, source, run_options)
    return await starter.run(slices(source, run_options.records_per_workflow))
