"""`batching-demo batcher worker`: run a worker of the batcher service."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial

import click
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Worker

from batching_demo.batcher_service.identity.guard import IdentityGuard, OtherDatabaseError
from batching_demo.batcher_service.metrics import WorkerMetrics
from batching_demo.batcher_service.sampling import OpenStatements, sampling, watch_pool
from batching_demo.batcher_service.worker import build_worker
from batching_demo.cli import options
from batching_demo.cli.batcher import settings_options
from batching_demo.cli.deployment_options import DeploymentOptions, deployment
from batching_demo.cli.process.quiet import quiet_logs_option
from batching_demo.cli.servers import database_line, temporal_line
from batching_demo.cli.telemetry.probes import Probes
from batching_demo.cli.telemetry.starting import start_telemetry
from batching_demo.concurrency import in_background
from batching_demo.contracts.identity import name_worker
from batching_demo.contracts.names import BATCHER_TASK_QUEUE
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.contracts.targets import TargetDeclaration
from batching_demo.database.connection.reading import describe_database
from batching_demo.database.engine import create_engine
from batching_demo.database.errors import DatabaseFailedError, database_errors
from batching_demo.settings import Settings
from batching_demo.temporal.connecting import connect_with_retries
from batching_demo.temporal.deployment import Version, as_version, warn_if_refused
from batching_demo.temporal.running import run_until_stopped

SESSIONS = "batching-demo batcher worker"
logger = logging.getLogger(__name__)


@click.command()
@options.option(
    "--pool-size",
    variable="POOL_SIZE",
    type=click.IntRange(min=1),
    default=10,
    help="Connections to Postgres, and writes at a time.",
)
@options.option(
    "--activity-slots",
    variable="ACTIVITY_SLOTS",
    type=click.IntRange(min=1),
    help="Activities at a time, waiting ones included. [default: twice --max-records, at least"
    " --pool-size]",
)
@options.batch_log
@options.pollers
@options.sandbox
@settings_options.batcher_settings("coalescing")
@options.targets
@options.queue_url
@options.pooler
@deployment
@options.metrics_bind
@quiet_logs_option
@click.pass_obj
def worker(
    settings: Settings,
    pool_size: int,
    activity_slots: int | None,
    batch_log: bool,
    pollers: int,
    sandbox: bool,
    coalescing: BatcherSettings,
    targets: Sequence[TargetDeclaration],
    deployment: DeploymentOptions,
    metrics_bind: str | None,
) -> None:
    """Run a worker of the batcher service until it is told to stop.

    --max-records, --max-bytes, --linger and --max-writes-per-second are for what this worker
    gathers itself: the write paths coalesced and queued, and requests without a workflow. `batcher
    start` takes those of batchers. --targets is read once: start workers again after a change of
    the file, or of a table in it. The first SIGTERM or Ctrl-C lets the worker finish the writes in
    flight, the second ends it at once.

    \b
    Example: batching-demo batcher worker --pool-size 4
    """
    probes = start_telemetry(metrics_bind)
    version = deployment.version
    build = partial(
        build_worker,
        pool_size=pool_size,
        coalescing=coalescing,
        targets=targets,
        activity_slots=activity_slots,
        pollers=pollers,
        batch_log=batch_log,
        sandbox=sandbox,
        queue_url=settings.queue_url,
        deployment=version,
    )
    is_measured = metrics_bind is not None
    asyncio.run(_work(settings, pool_size, build, probes, version, is_measured=is_measured))


async def _work(
    settings: Settings,
    pool_size: int,
    build: Callable[..., Worker],
    probes: Probes,
    version: Version,
    *,
    is_measured: bool,
) -> None:
    def started(stop: asyncio.Event) -> None:
        logger.info("batcher worker polls %s%s", BATCHER_TASK_QUEUE, as_version(version))
        probes.ready_until(stop)

    probes.watch_loop()
    url = settings.required_database_url
    logger.info("%s", database_line(settings))
    logger.info("%s", temporal_line(settings))
    pooler = settings.pooler
    engine = create_engine(url, application_name=SESSIONS, pool_size=pool_size, pooler=pooler)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(engine.dispose)
        warning = warn_of_database(engine, describe_database(settings))
        await stack.enter_async_context(in_background(warning))
        client = await connect_with_retries(settings)
        await warn_if_refused(client, version)
        name = await _name(client, engine)
        if is_measured:
            metrics = WorkerMetrics.of(client)
            watch_pool(engine, metrics)
            await stack.enter_async_context(sampling(url, metrics, pooler, OpenStatements(engine)))
        await run_until_stopped(build(client, engine, identity=name), started=started)


async def _name(client: Client, engine: AsyncEngine) -> str | None:
    """Return a name for the worker that holds the identity of its database.

    While the database or Temporal does not answer, it is None: the worker is named as usual.

    Raises:
        OtherDatabaseError: The namespace is for another database.
    """
    try:
        return name_worker(client.identity, await IdentityGuard(engine, client).look_again())
    except OtherDatabaseError:
        raise
    except (DatabaseFailedError, RPCError):
        return None


async def warn_of_database(engine: AsyncEngine, place: str) -> None:
    """Log a warning if the database cannot be used, and why. Without it the first write would."""
    try:
        with database_errors():
            async with engine.connect():
                return
    except DatabaseFailedError as error:
        logger.warning("%s (%s); every write tries again", error, place)
