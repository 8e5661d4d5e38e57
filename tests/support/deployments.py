"""Versions of workers: make one current, as whoever deploys does."""

import asyncio
import os
import shlex

from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion

from batching_demo.temporal.deployment import version_options
from batching_demo.temporal.pollers import SET_CURRENT
from tests.support.temporal import PROGRAM
from tests.support.waiting import eventually


async def temporal_cli(client: Client, command: str) -> str:
    """Run a command of Temporal's command line that somebody could paste into a shell."""
    program, *arguments = shlex.split(command)
    assert program == "temporal"
    process = await asyncio.create_subprocess_exec(
        PROGRAM,
        *arguments,
        env={
            "HOME": os.environ.get("HOME", "/nonexistent"),
            "TEMPORAL_ADDRESS": client.service_client.config.target_host,
            "TEMPORAL_NAMESPACE": client.namespace,
        },
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


async def set_current(client: Client, version: WorkerDeploymentVersion) -> None:
    """Make a version the current one, as soon as the server has heard of it."""
    command = f"{SET_CURRENT} {version_options(version)} --yes"
    await eventually(lambda: temporal_cli(client, command), every=0.5)
