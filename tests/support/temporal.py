"""Servers of Temporal that tests start."""

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from temporalio.testing import WorkflowEnvironment

PROGRAM = Path(sys.executable).with_name("temporal")


@asynccontextmanager
async def running_temporal(settings: Mapping[str, str]) -> AsyncIterator[WorkflowEnvironment]:
    """Run a server.

    Args:
        settings: Its dynamic configuration, each value as JSON.
    """
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(PROGRAM),
        dev_server_extra_args=[
            part
            for name, value in settings.items()
            for part in ("--dynamic-config-value", f"{name}={value}")
        ],
        dev_server_log_level="error",
    )
    async with environment:
        yield environment
