"""A workflow that has its records stored in an own table, and returns their ids."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from temporalio import workflow
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from batching_demo import BatchingPlugin, Record, RecordResult, Requester, WritePath
    from tools.chaos.direct import cut_requests, gather_request
    from tools.chaos.load import OPTIONS, SHARDS, Results

TASK_QUEUE = "chaos"


@dataclass(frozen=True)
class OwnRequest:
    """The records of one workflow, and where they go."""

    records: list[Record]
    target: str
    write_path: WritePath


@workflow.defn(name="ChaosOwnWorkflow")
class OwnWorkflow:
    """One request for an own table."""

    @workflow.run
    async def run(self, request: OwnRequest) -> list[RecordResult]:
        """Return what became of each record, with the id of its row."""
        requester = Requester(
            OPTIONS.settings,
            shards=SHARDS,
            write_path=request.write_path,
            source=workflow.info().workflow_id,
        )
        return await requester.write(request.records, target=request.target)


def own_worker(client: Client, queue_url: str) -> Worker:
    """Return a worker of these workflows, which no fault kills.

    Args:
        client: Of the server.
        queue_url: Of the write path `queued`.
    """
    plugins = [BatchingPlugin(queue_url)]
    return Worker(client, task_queue=TASK_QUEUE, workflows=[OwnWorkflow], plugins=plugins)


@dataclass
class OwnLoad:
    """The workflows of one write path."""

    requests: Sequence[Sequence[Record]]
    target: str
    write_path: WritePath
    _running: list[asyncio.Task[list[RecordResult]]] = field(default_factory=list)

    @classmethod
    def of(cls, path: Path, target: str, write_path: WritePath) -> "OwnLoad":
        """Cut a file into the requests of workflows."""
        return cls(cut_requests(path), target, write_path)

    def __len__(self) -> int:
        return len(self.requests)

    async def send(self, client: Client, seconds: float) -> None:
        """Start the workflows at a constant rate over some seconds."""
        began = time.monotonic()
        for number, records in enumerate(self.requests):
            await asyncio.sleep(began + number * seconds / len(self) - time.monotonic())
            request = OwnRequest([*records], self.target, self.write_path)
            running = _until_answered(client, self._name(number), request)
            self._running.append(asyncio.create_task(running))

    async def gather(self, client: Client, results: Results, within: float) -> None:
        """Wait for every workflow to end, at most `within` seconds."""
        await asyncio.wait(self._running, timeout=within)
        for number, task in enumerate(self._running):
            gather_request(task, self._name(number), results)

    def _name(self, number: int) -> str:
        return f"{self.target}-{self.write_path}-{number}"


async def _until_answered(client: Client, name: str, request: OwnRequest) -> list[RecordResult]:
    """Run a workflow, and find it again while Temporal is away."""
    while True:
        try:
            return await client.execute_workflow(
                OwnWorkflow.run,
                request,
                id=name,
                task_queue=TASK_QUEUE,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            )
        except WorkflowAlreadyStartedError:
            # It has ended, and the answer was lost.
            handle = client.get_workflow_handle(name, result_type=list[RecordResult])
            ended: list[RecordResult] = await handle.result()
            return ended
        except RPCError:
            await asyncio.sleep(0.5)
