"""The worker of the floor, a process like the other workers."""

import asyncio
import os
import subprocess
import sys

import psutil

from batching_demo.devstack.workers import MALLOC
from batching_demo.main_service.worker import build_worker
from batching_demo.settings import Settings
from batching_demo.temporal.connecting import connect
from batching_demo.temporal.running import run_until_stopped
from tools.benchmark.harness.floor import FLOOR_TASK_QUEUE, FloorWorkflow
from tools.system import System

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


async def _work() -> None:
    client = await connect(Settings.from_environment(os.environ))
    worker = build_worker(client, workflows=[FloorWorkflow], task_queue=FLOOR_TASK_QUEUE)
    await run_until_stopped(worker, started=lambda _: None)


if __name__ == "__main__":
    asyncio.run(_work())
