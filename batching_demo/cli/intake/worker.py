"""`batching-demo intake worker`: consume a queue."""

import asyncio
import logging
import os
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress

import click
from temporalio.runtime import Runtime

from batching_demo.batcher_service.metrics import WorkerMetrics
from batching_demo.batcher_service.queues.consumer import Consumer
from batching_demo.batcher_service.queues.intake import Intake
from batching_demo.batcher_service.queues.metrics import QueueMetrics, sample_queue
from batching_demo.batcher_service.queues.opening import open_source
from batching_demo.batcher_service.queues.receiving import (
    DEFAULT_MAX_DELIVERIES,
    LEAST_MAX_DELIVERIES,
)
from batching_demo.batcher_service.queues.redis_streams.options import StreamOptions
from batching_demo.batcher_service.queues.source import Source
from batching_demo.batcher_service.queues.writer import IntakeWriter
from batching_demo.batcher_service.sampling import OpenStatements, sampling, watch_pool
from batching_demo.cli import options
from batching_demo.cli.batcher import settings_options
from batching_demo.cli.batcher.worker import warn_of_database
from batching_demo.cli.intake import queue_options
from batching_demo.cli.process.quiet import quiet_logs_option
from batching_demo.cli.servers import database_line
from batching_demo.cli.submitting.target_options import TargetOptions, target_options
from batching_demo.cli.telemetry.probes import Probes
from batching_demo.cli.telemetry.starting import start_telemetry
from batching_demo.concurrency import in_background
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.database.batch_log.log import BatchLog
from batching_demo.database.connection.reading import describe_database
from batching_demo.database.engine import create_engine
from batching_demo.database.errors import DatabaseFailedError
from batching_demo.database.targets.registry import Targets
from batching_demo.queue_servers.errors import QueueError
from batching_demo.settings import Settings
from batching_demo.stopping import stop_on_signals

SESSIONS = "batching-demo intake worker"
logger = logging.getLogger(__name__)

claim_after = options.option(
    "--claim-after",
    "claim_after_seconds",
    variable="INTAKE_CLAIM_AFTER",
    type=options.Seconds(min_open=True),
    default=StreamOptions.claim_after_seconds,
    help="Seconds after which the messages of a worker that has died go to another one.",
)
keep = click.option(
    "--keep",
    "deletes",
    is_flag=True,
    flag_value=False,
    default=True,
    help="Keep messages on the queue once they are acked.",
)
delete = click.option(
    "--delete",
    "deletes_from_others",
    is_flag=True,
    help="Delete messages once they are acked, even if other groups read the queue.",
)
key = options.option(
    "--key",
    "key_columns",
    multiple=True,
    metavar="FIELD",
    help="Member of each object whose text is the idempotency key; given again, the texts are"
    " joined. [default: name of the queue and id of the message]",
)


@click.command()
@queue_options.from_queue
@queue_options.endpoint_url
@options.as_one(
    "stream",
    StreamOptions,
    queue_options.group,
    queue_options.body,
    claim_after,
    keep,
    delete,
)
@key
@target_options
@options.option(
    "--max-deliveries",
    variable="INTAKE_MAX_DELIVERIES",
    type=click.IntRange(min=LEAST_MAX_DELIVERIES),
    default=DEFAULT_MAX_DELIVERIES,
    help="At this delivery a message becomes a dead letter, if it never had a verdict.",
)
@options.batch_log
@settings_options.batcher_settings("gathering")
@options.pooler
@options.metrics_bind
@quiet_logs_option
@click.pass_obj
def worker(
    settings: Settings,
    queue: str,
    endpoint_url: str | None,
    stream: StreamOptions,
    key_columns: Sequence[str],
    into: TargetOptions,
    max_deliveries: int,
    batch_log: bool,
    gathering: BatcherSettings,
    metrics_bind: str | None,
) -> None:
    """Write the JSON objects that are on a queue, until it is told to stop.

    A message is acked, and deleted, once its record is stored or kept as a dead letter. Any number
    of workers may share a queue. The first SIGTERM or Ctrl-C lets the worker write what it holds,
    the second ends it at once. No message is lost either way.

    It needs Postgres and the queue, and no Temporal.

    \b
    Examples:
      batching-demo intake worker --from redis://127.0.0.1:6379/0/orders
      batching-demo intake worker --from redis://127.0.0.1:6379/0/orders --key order_id --linger 1
      batching-demo intake worker --from sqs://sqs.eu-central-1.amazonaws.com/123456789012/orders
    """
    if not stream.deletes and stream.deletes_from_others:
        raise click.UsageError("--keep and --delete exclude each other: give one of them")
    source = open_source(queue, stream, endpoint_url)
    probes = start_telemetry(metrics_bind)
    intake = Intake(key_columns, into.target)
    targets = Targets([into.declaration] if into.declaration else [])
    is_measured = metrics_bind is not None
    asyncio.run(
        _work(
            settings,
            probes,
            source,
            intake,
            targets,
            max_deliveries,
            gathering,
            batch_log=batch_log,
            is_measured=is_measured,
        )
    )


async def _work(
    settings: Settings,
    probes: Probes,
    source: Source,
    intake: Intake,
    targets: Targets,
    max_deliveries: int,
    gathering: BatcherSettings,
    *,
    batch_log: bool,
    is_measured: bool,
) -> None:
    probes.watch_loop()
    url, pooler = settings.required_database_url, settings.pooler
    logger.info("%s", database_line(settings))
    # It has no namespace that would tell its metrics from those of other intakes.
    meter = Runtime.default().metric_meter.with_additional_attributes({"queue": source.queue})
    metrics = WorkerMetrics(meter)
    engine = create_engine(
        url, application_name=SESSIONS, pool_size=gathering.max_in_flight, pooler=pooler
    )
    stop = stop_on_signals()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(engine.dispose)
        stack.push_async_callback(_close, source)
        start = stack.enter_async_context
        await start(in_background(warn_of_database(engine, describe_database(settings))))
        if is_measured:
            watch_pool(engine, metrics)
            await start(sampling(url, metrics, pooler, OpenStatements(engine)))
            await start(in_background(sample_queue(source, QueueMetrics(meter, source.queue))))
        with suppress(DatabaseFailedError):  # every write tries again
            await targets.reflect_all(engine)
        log = BatchLog(engine, f"{os.getpid()}@{socket.gethostname()}") if batch_log else None
        if log:
            stack.push_async_callback(log.close)
        writer = IntakeWriter(engine, targets, metrics, intake, gathering.max_in_flight, log)
        consumer = Consumer(
            source,
            gathering,
            intake.submissions_of,
            writer.write,
            writer.probe,
            max_deliveries=max_deliveries,
        )
        logger.info("intake worker reads %s", source.place)
        probes.ready_until(stop)
        await consumer.run(stop)


async def _close(source: Source) -> None:
    """Close a queue. If it is away, there is nothing to be done about that any more."""
    with suppress(QueueError):
        await source.close()
