"""Checks of Temporal, of the workers that poll it, and of the batchers."""

import asyncio

from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.client import Client
from temporalio.service import RPCError

from batching_demo.contracts.names import BATCHER_TASK_QUEUE, MAIN_TASK_QUEUE, batcher_workflow_id
from batching_demo.contracts.payloads import UndecodableError
from batching_demo.doctor.check import Check, note, ok, problem, skipped
from batching_demo.operator.status import Overview, overview
from batching_demo.settings import Settings, SettingsError
from batching_demo.temporal.connecting import TemporalUnavailableError, connect
from batching_demo.temporal.executions import MemoUnreadableError
from batching_demo.temporal.pollers import find_version_problem, find_worker_problem, has_pollers
from batching_demo.temporal.target import choose_temporal

TEMPORAL, BATCHERS = "Temporal", "batchers"
MAIN_WORKER, BATCHER_WORKER = "main worker", "batcher worker"
ANSWER_SECONDS = 10.0


async def check_temporal(settings: Settings) -> list[Check]:
    """Check the server, the workers' task queues and the batchers."""
    try:
        client = await connect(settings)
        async with asyncio.timeout(ANSWER_SECONDS):
            server = await _server(client, settings)
        workers = [await _main_worker(client), await _batcher_worker(client)]
        return [server, *workers, await _batchers(client)]
    except TimeoutError:
        return _unreachable(f"no answer within {ANSWER_SECONDS:.0f} s: check TEMPORAL_ADDRESS")
    except (TemporalUnavailableError, SettingsError, UndecodableError) as error:
        return _unreachable(str(error))
    except RPCError as error:
        return _unreachable(f"{error.message} ({error.status.name}): check the TEMPORAL_ variables")


def _unreachable(detail: str) -> list[Check]:
    names = (MAIN_WORKER, BATCHER_WORKER, BATCHERS)
    return [problem(TEMPORAL, detail), *(skipped(name, TEMPORAL) for name in names)]


async def _server(client: Client, settings: Settings) -> Check:
    info = await client.workflow_service.get_system_info(GetSystemInfoRequest())
    return ok(TEMPORAL, f"{choose_temporal(settings)}, server {info.server_version}")


async def _main_worker(client: Client) -> Check:
    """Check for the worker of the main service, which those with workflows of their own lack."""
    if wrong := await find_version_problem(client, MAIN_TASK_QUEUE):
        return problem(MAIN_WORKER, wrong)
    if await has_pollers(client, MAIN_TASK_QUEUE):
        return ok(MAIN_WORKER, f"polls {MAIN_TASK_QUEUE}")
    needing = "`main start`, `compare` and `demo` need `batching-demo main worker`"
    return note(
        MAIN_WORKER, f"none polls {MAIN_TASK_QUEUE}: {needing}, workflows of your own do not"
    )


async def _batcher_worker(client: Client) -> Check:
    if wrong := await find_worker_problem(client, BATCHER_TASK_QUEUE):
        return problem(BATCHER_WORKER, wrong)
    return ok(BATCHER_WORKER, f"polls {BATCHER_TASK_QUEUE}")


async def _batchers(client: Client) -> Check:
    """Check for the first batcher with a problem; being paused is none, but it shows."""
    try:
        found = await overview(client, None)
    except (MemoUnreadableError, UndecodableError) as error:
        return problem(BATCHERS, str(error))
    wrong = (one.wrong or _last_error(one) for one in found)
    if first := next(filter(None, wrong), ""):
        return problem(BATCHERS, first)
    said = [f"{batcher_workflow_id(one.shard)} {one.status.mode}" for one in found if one.status]
    return ok(BATCHERS, ", ".join(said))


def _last_error(found: Overview) -> str:
    if found.status is None or not found.status.last_error:
        return ""
    return f"{batcher_workflow_id(found.shard)}: {found.status.last_error}"
