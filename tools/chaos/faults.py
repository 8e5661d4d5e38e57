"""Inject the faults of a schedule."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from batching_demo.contracts.names import SUBMIT_SIGNAL, batcher_workflow_id
from batching_demo.operator.start import start_batchers
from tools.chaos.load import OPTIONS, SHARDS
from tools.chaos.proxy import Proxy
from tools.chaos.schedule import Fault, FaultKind
from tools.chaos.trigger import Trigger
from tools.system import System

Report = Callable[[Fault], None]
MALFORMED: Sequence[tuple[str, Sequence[object]]] = (
    (SUBMIT_SIGNAL, []),
    (SUBMIT_SIGNAL, ["one"]),
    (SUBMIT_SIGNAL, [[{"submission_id": 1}], b"bytes"]),
    (SUBMIT_SIGNAL, [1, 2, 3]),
    ("no such signal", [{"any": "thing"}]),
)


@dataclass
class Injector:
    """What faults act on."""

    system: System
    client: Client
    proxy: Proxy
    engine: AsyncEngine
    """Makes a new connection each time, since faults break those that are open."""
    triggers: Sequence[Trigger]
    tables: Sequence[str]
    """Where the records go."""
    last_at: float = 0.0
    """When the last fault was over, by the monotonic clock."""

    async def run(self, faults: Sequence[Fault], report: Report) -> None:
        """Inject each fault at its time, and restart workers after it."""
        began = time.monotonic()
        for fault in faults:
            await asyncio.sleep(max(0.0, began + fault.at - time.monotonic()))
            report(fault)
            await self._inject(fault)
            self.last_at = time.monotonic()
            await asyncio.to_thread(self.system.start_workers)

    async def _inject(self, fault: Fault) -> None:
        match fault.kind:
            case FaultKind.KILL_BATCHER_WORKER:
                await asyncio.to_thread(self.system.kill_worker, "batcher")
            case FaultKind.KILL_MAIN_WORKER:
                await asyncio.to_thread(self.system.kill_worker, "main")
            case FaultKind.STOP_POSTGRES:
                await asyncio.to_thread(self.system.postgres.stop, "immediate")
                await asyncio.sleep(fault.duration)
                await asyncio.to_thread(self.system.postgres.start)
            case FaultKind.PAUSE_POSTGRES:
                self.system.postgres.pause()
                await asyncio.sleep(fault.duration)
                self.system.postgres.resume()
            case FaultKind.LOCK_TABLE:
                await self._lock_table(fault.duration)
            case FaultKind.SILENT_CONNECTIONS:
                self.proxy.silence()
            case FaultKind.CHANGE_TRIGGER:
                for trigger in self.triggers:
                    await trigger.change()
            case FaultKind.RESTART_TEMPORAL:
                await asyncio.to_thread(self.system.temporal.stop)
                await asyncio.sleep(fault.duration / 2)
                await asyncio.to_thread(self.system.temporal.start)
            case FaultKind.KILL_VALKEY:
                await asyncio.to_thread(self.system.valkey.kill)
                await asyncio.sleep(fault.duration)
                await asyncio.to_thread(self.system.valkey.start)
            case FaultKind.FLUSH_QUEUE:
                async with Redis.from_url(self.system.valkey.url) as redis:
                    await redis.flushall()
            case FaultKind.TERMINATE_BATCHER:
                await self._terminate_batcher()
            case FaultKind.MALFORMED_SIGNALS:
                await self._send_malformed()

    async def _lock_table(self, seconds: float) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(
                text(f"LOCK TABLE {', '.join(self.tables)} IN ACCESS EXCLUSIVE MODE")
            )
            await asyncio.sleep(seconds)

    async def _terminate_batcher(self) -> None:
        batcher = self.client.get_workflow_handle(batcher_workflow_id(0))
        await _persist(lambda: batcher.terminate("chaos"))
        await _persist(lambda: start_batchers(self.client, SHARDS, OPTIONS.settings))

    async def _send_malformed(self) -> None:
        batcher = self.client.get_workflow_handle(batcher_workflow_id(0))
        for name, arguments in MALFORMED:
            try:
                await batcher.signal(name, args=arguments)
            except RPCError:
                return


async def _persist(call: Callable[[], Awaitable[object]]) -> None:
    """Call Temporal until it answers. The fault before may have been its restart."""
    while True:
        try:
            await call()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                # An attempt without an answer has terminated it.
                return
            await asyncio.sleep(1.0)
        else:
            return
