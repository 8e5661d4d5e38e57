"""The worker of the floor, a process like the other workers."""

import asyncio
import os
import subprocess
import sys

import psutil
from temporalio.client import Client
from temporalio.plugin import SimplePlugin
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from batching_demo.devstack.system import System
from batching_demo.devstack.workers import MALLOC
from batching_demo.main_service.worker import build_worker
from batching_demo.settings import Settings
from batching_demo.temporal import connect, run_until_stopped
from tools.benchmark.harness.floor import FLOOR_TASK_QUEUE, FloorWorkflow

FLOOR_WORKER = "floor"


def start_floor_worker(system: System) -> None:
    """Start a worker of the floor. The system stops it with its other workers."""
    with (system.directory / "floor-worker.log").open("ab") as log:
        system.workers[FLOOR_WORKER] = psutil.Popen(
            [sys.executable, "-m", "tools.benchmark.harness.floor_worker"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**MALLOC, **system.environment()},
            start_new_session=True,
        )


def _with_passthrough(client: Client) -> Client:
    """Return a client whose workers import `floor` once, and not for every workflow.

    That takes 1.2 ms of the 15 that a workflow needs, and other main workflows do without it.
    """
    restrictions = SandboxRestrictions.default.with_passthrough_modules("tools")
    runner = SandboxedWorkflowRunner(restrictions=restrictions)
    config = client.config()
    config["plugins"] = [SimplePlugin(FLOOR_WORKER, workflow_runner=runner)]
    return Client(**config)


async def _work() -> None:
    client = _with_passthrough(await connect(Settings.from_environment(os.environ)))
    worker = build_worker(client, workflows=[FloorWorkflow], task_queue=FLOOR_TASK_QUEUE)
    await run_until_stopped(worker, started=lambda: None)


if __name__ == "__main__":
    asyncio.run(_work())
