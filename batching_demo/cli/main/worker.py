"""`batching-demo main worker`: run a worker of the main service."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial

import click
from temporalio.worker import Worker

from batching_demo.cli import options
from batching_demo.cli.deployment_options import DeploymentOptions, deployment
from batching_demo.cli.process.quiet import quiet_logs_option
from batching_demo.cli.servers import temporal_line
from batching_demo.cli.telemetry.probes import Probes
from batching_demo.cli.telemetry.starting import start_telemetry
from batching_demo.contracts.names import MAIN_TASK_QUEUE
from batching_demo.main_service.worker import (
    DEFAULT_THREADS,
    DEFAULT_WORKFLOW_SLOTS,
    build_worker,
)
from batching_demo.settings import Settings
from batching_demo.temporal.connecting import connect_with_retries
from batching_demo.temporal.deployment import Version, as_version, warn_if_refused
from batching_demo.temporal.running import run_until_stopped

logger = logging.getLogger(__name__)


@click.command()
@options.option(
    "--threads",
    variable="THREADS",
    type=click.IntRange(min=1),
    default=DEFAULT_THREADS,
    help="Slices that are loaded or prepared at a time.",
)
@options.option(
    "--workflow-slots",
    variable="WORKFLOW_SLOTS",
    type=click.IntRange(min=2),
    default=DEFAULT_WORKFLOW_SLOTS,
    help="Workflow tasks at a time; twice as many local activities.",
)
@options.pollers
@options.sandbox
@options.queue_url
@deployment
@options.metrics_bind
@quiet_logs_option
@click.pass_obj
def worker(
    settings: Settings,
    threads: int,
    workflow_slots: int,
    pollers: int,
    sandbox: bool,
    deployment: DeploymentOptions,
    metrics_bind: str | None,
) -> None:
    """Run a worker of the main service until it is told to stop.

    It needs no database. The first SIGTERM or Ctrl-C lets it finish what runs, the second ends it
    at once.

    \b
    Example: batching-demo main worker --threads 4
    """
    probes = start_telemetry(metrics_bind)
    version = deployment.version
    build = partial(
        build_worker,
        threads=threads,
        workflow_slots=workflow_slots,
        pollers=pollers,
        sandbox=sandbox,
        queue_url=settings.queue_url,
        deployment=version,
    )
    asyncio.run(_work(settings, build, probes, version))


async def _work(
    settings: Settings, build: Callable[..., Worker], probes: Probes, version: Version
) -> None:
    def started(stop: asyncio.Event) -> None:
        logger.info("main worker polls %s%s", MAIN_TASK_QUEUE, as_version(version))
        probes.ready_until(stop)

    probes.watch_loop()
    logger.info("%s", temporal_line(settings))
    client = await connect_with_retries(settings)
    await warn_if_refused(client, version)
    await run_until_stopped(build(client), started=started)
