"""Main workers that differ in one thing each, to see what it saves for a workflow."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Mapping

import psutil
from temporalio import activity
from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.plugin import SimplePlugin
from temporalio.worker import PollerBehaviorAutoscaling, WorkerConfig, WorkerDeploymentConfig

from batching_demo.contracts.encoding import pack
from batching_demo.devstack.workers import MALLOC
from batching_demo.main_service.activities import load_records, prepare_records
from batching_demo.main_service.files.read import read_slice
from batching_demo.main_service.messages import (
    LOAD_RECORDS,
    PREPARE_RECORDS,
    MainInput,
    Slice,
    Source,
)
from batching_demo.main_service.preparation import prepare_slice
from batching_demo.main_service.worker import build_worker
from batching_demo.settings import Settings
from batching_demo.temporal.connecting import connect
from batching_demo.temporal.running import run_until_stopped, workflow_runner
from tools.system import System

Change = Callable[[WorkerConfig], None]
PLAIN = "as it is"


def _in_sandbox(config: WorkerConfig) -> None:
    config["workflow_runner"] = workflow_runner(sandbox=True)


def _autoscaling(config: WorkerConfig) -> None:
    config["max_concurrent_workflow_task_polls"] = None
    config["workflow_task_poller_behavior"] = PollerBehaviorAutoscaling()


def _two_pollers(config: WorkerConfig) -> None:
    config["max_concurrent_workflow_task_polls"] = 2


def _as_deployment(config: WorkerConfig) -> None:
    version = WorkerDeploymentVersion(deployment_name="batching-demo", build_id="1")
    config["deployment_config"] = WorkerDeploymentConfig(version, use_worker_versioning=False)


@activity.defn(name=LOAD_RECORDS)
def _load_nothing(source: Source, slice_: Slice) -> bytes:
    """Read a slice, and return nothing of it."""
    read_slice(source, slice_)
    return b""


@activity.defn(name=PREPARE_RECORDS)
def _prepare_again(main_input: MainInput, workflow_id: str, raw: bytes) -> bytes:
    """Read the slice once more, and return its submissions."""
    raw = read_slice(main_input.source, main_input.slice)
    return pack(prepare_slice(main_input, workflow_id, raw))


def _slices_stay(config: WorkerConfig) -> None:
    others = [one for one in config["activities"] if one not in (load_records, prepare_records)]
    config["activities"] = [*others, _load_nothing, _prepare_again]


TRIALS: Mapping[str, Change] = {
    PLAIN: lambda config: None,
    "in the sandbox": _in_sandbox,
    "slices stay on the worker": _slices_stay,
    "pollers scale by themselves": _autoscaling,
    "2 pollers": _two_pollers,
    "a deployment in place of a build id": _as_deployment,
}
"""By name, what is changed in the configuration of the worker."""


def task_queue_of(name: str) -> str:
    """Return the task queue of a trial."""
    return f"trial-{list(TRIALS).index(name)}"


def start_trial_worker(system: System, name: str) -> None:
    """Start the worker of a trial. The system stops it with its other workers."""
    with (system.directory / f"{task_queue_of(name)}.log").open("ab") as log:
        system.workers[name] = psutil.Popen(
            [sys.executable, "-m", "tools.benchmark.harness.trial_worker", name],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**MALLOC, **system.environment()},
            start_new_session=True,
        )


class _TrialPlugin(SimplePlugin):
    def __init__(self, change: Change) -> None:
        super().__init__("trial")
        self._change = change

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        config = super().configure_worker(config)
        self._change(config)
        return config


async def _work(name: str) -> None:
    connected = await connect(Settings.from_environment(os.environ))
    config = connected.config()
    config["plugins"] = [_TrialPlugin(TRIALS[name])]
    worker = build_worker(Client(**config), task_queue=task_queue_of(name))
    await run_until_stopped(worker, started=lambda _: None)


if __name__ == "__main__":
    asyncio.run(_work(sys.argv[1]))
