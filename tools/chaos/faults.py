"""Inject the faults of a schedule."""

import asyncio
import time
from collections.abc import Callable, Sequence

from temporalio.client import Client
from temporalio.service import RPCError

from batching_demo.contracts.names import SUBMIT_SIGNAL, batcher_workflow_id
from batching_demo.devstack.system import System
from tools.chaos.schedule import Fault, FaultKind

Report = Callable[[Fault], None]
MALFORMED: Sequence[tuple[str, Sequence[object]]] = (
    (SUBMIT_SIGNAL, []),
    (SUBMIT_SIGNAL, ["one"]),
    (SUBMIT_SIGNAL, [[{"submission_id": 1}], b"bytes"]),
    (SUBMIT_SIGNAL, [1, 2, 3]),
    ("no such signal", [{"any": "thing"}]),
)


async def inject(system: System, client: Client, faults: Sequence[Fault], report: Report) -> None:
    """Inject each fault at its time, and restart workers after it."""
    began = time.monotonic()
    for fault in faults:
        await asyncio.sleep(max(0.0, began + fault.at - time.monotonic()))
        report(fault)
        await _inject(system, client, fault)
        await asyncio.to_thread(system.start_workers)


async def _inject(system: System, client: Client, fault: Fault) -> None:
    match fault.kind:
        case FaultKind.KILL_BATCHER_WORKER:
            await asyncio.to_thread(system.kill_worker, "batcher")
        case FaultKind.KILL_MAIN_WORKER:
            await asyncio.to_thread(system.kill_worker, "main")
        case FaultKind.STOP_POSTGRES:
            await asyncio.to_thread(system.postgres.stop, "immediate")
            await asyncio.sleep(fault.duration)
            await asyncio.to_thread(system.postgres.start)
        case FaultKind.RESTART_TEMPORAL:
            await asyncio.to_thread(system.temporal.stop)
            await asyncio.sleep(fault.duration / 2)
            await asyncio.to_thread(system.temporal.start)
        case FaultKind.MALFORMED_SIGNALS:
            await _send_malformed(client)


async def _send_malformed(client: Client) -> None:
    batcher = client.get_workflow_handle(batcher_workflow_id(0))
    for name, arguments in MALFORMED:
        try:
            await batcher.signal(name, args=arguments)
        except RPCError:
            return
