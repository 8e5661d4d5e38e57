"""`batching-demo main`: the worker and the starter of the main service."""

import asyncio
import logging

import click

from batching_demo.cli import options
from batching_demo.cli.main_start import start
from batching_demo.cli.telemetry import start_runtime
from batching_demo.contracts import MAIN_TASK_QUEUE
from batching_demo.main_service.worker import build_worker
from batching_demo.settings import Settings
from batching_demo.temporal import connect_patiently, run_until_stopped

logger = logging.getLogger(__name__)


@click.group("main")
def main_group() -> None:
    """Load and prepare records, and submit them to a batcher."""


@main_group.command()
@options.metrics_bind
@click.pass_obj
def worker(settings: Settings, metrics_bind: str | None) -> None:
    """Run a worker of the main service until it is told to stop.

    It needs no database. The first SIGTERM or Ctrl-C finishes what is running, the second leaves
    at once.

    \b
    Example: batching-demo main worker
    """
    start_runtime(metrics_bind)
    asyncio.run(_work(settings))


async def _work(settings: Settings) -> None:
    client = await connect_patiently(settings)
    await run_until_stopped(
        build_worker(client),
        started=lambda: logger.info("main worker polls %s", MAIN_TASK_QUEUE),
    )


main_group.add_command(start)
