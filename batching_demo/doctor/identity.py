"""Check that the database, the Temporal namespace and the batcher workers belong together."""

import asyncio

from temporalio.client import Client
from temporalio.service import RPCError

from batching_demo.contracts.identity import describe_mismatch, identity_in
from batching_demo.contracts.names import BATCHER_TASK_QUEUE
from batching_demo.contracts.payloads import UndecodableError
from batching_demo.database.errors import DatabaseFailedError
from batching_demo.database.identity import read_identity
from batching_demo.database.opening import open_database
from batching_demo.doctor.check import Check, ok, problem, skipped
from batching_demo.settings import Settings, SettingsError
from batching_demo.temporal.connecting import TemporalUnavailableError, connect
from batching_demo.temporal.executions import MemoUnreadableError
from batching_demo.temporal.namespace_database import find_database
from batching_demo.temporal.pollers import LONGEST_POLL_SECONDS, poller_names

IDENTITY = "identity"
ANSWER_SECONDS = 10.0


async def check_identity(settings: Settings) -> Check:
    """Check whose namespace it is, and which databases the batcher workers write to."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            identity = await _read(settings)
    except (TimeoutError, DatabaseFailedError, SettingsError):
        return skipped(IDENTITY, "Postgres and its schema")
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await _compare(await connect(settings), identity)
    except MemoUnreadableError as error:
        return problem(IDENTITY, str(error))
    except (TimeoutError, RPCError, SettingsError, TemporalUnavailableError, UndecodableError):
        return skipped(IDENTITY, "Temporal")


async def _read(settings: Settings) -> str:
    async with open_database(settings, "batching-demo doctor") as engine:
        return await read_identity(engine)


async def _compare(client: Client, identity: str) -> Check:
    expected = await find_database(client)
    if expected not in (None, identity):
        return problem(IDENTITY, describe_mismatch(client.namespace, expected, identity))
    for name in await poller_names(client, BATCHER_TASK_QUEUE, within=LONGEST_POLL_SECONDS):
        if identity_in(name) not in (None, identity):
            return problem(
                IDENTITY,
                f"batcher worker {name} polls {BATCHER_TASK_QUEUE}, and this database is"
                f" {identity}: stop that worker; after `batching-demo db adopt`, start it again",
            )
    if expected is None:
        return ok(
            IDENTITY, f"{identity}; no batcher worker has polled namespace {client.namespace}"
        )
    return ok(IDENTITY, f"{identity}, as namespace {client.namespace} has it")
