"""The worker of the batcher service."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.worker import Worker

from batching_demo.batcher_service.activities import WriteActivities
from batching_demo.batcher_service.batcher.workflow import BatcherWorkflow
from batching_demo.batcher_service.direct.activity import DirectActivities
from batching_demo.batcher_service.identity.plugin import OneDatabasePlugin
from batching_demo.batcher_service.identity.workflow import DatabaseWorkflow
from batching_demo.batcher_service.log_plugin import BatchLogPlugin
from batching_demo.batcher_service.metrics import meter_of
from batching_demo.batcher_service.queues.consumers import SubmissionConsumers
from batching_demo.batcher_service.queues.plugin import SubmissionsPlugin
from batching_demo.batcher_service.retry.activities import RetryActivities
from batching_demo.batcher_service.retry.workflow import RetryWorkflow
from batching_demo.batcher_service.target_check import TargetsPlugin
from batching_demo.batcher_service.waking import WakingPlugin
from batching_demo.contracts.limits import DEFAULT_POLLERS
from batching_demo.contracts.names import BATCHER_TASK_QUEUE
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.contracts.targets import TargetDeclaration
from batching_demo.database.batch_log.log import BatchLog
from batching_demo.database.targets.registry import Targets
from batching_demo.requester.plugin import BatchingPlugin
from batching_demo.temporal.deployment import Version, deployment_config
from batching_demo.temporal.running import GRACEFUL_SHUTDOWN, workflow_runner


def build_worker(
    client: Client,
    engine: AsyncEngine,
    pool_size: int,
    coalescing: BatcherSettings | None = None,
    *,
    targets: Sequence[TargetDeclaration] = (),
    activity_slots: int | None = None,
    pollers: int = DEFAULT_POLLERS,
    identity: str | None = None,
    batch_log: bool = True,
    sandbox: bool = False,
    queue_url: str = "",
    deployment: Version = None,
) -> Worker:
    """Return a worker of the batcher service.

    It does not start if its Temporal namespace is for another database. Running it then raises a
    `UserError`.

    Args:
        client: Also sends verdicts.
        engine: Writes, each statement committed by itself.
        pool_size: Connections of the engine, and writes at a time.
        coalescing: When the calls of the coalesced path are written.
        targets: Tables of your own that records may go to, beside `records`. If one cannot work,
            the worker ends with a `TargetError` soon after it has started.
        activity_slots: Activities at a time, those that wait for a connection or for others to
            share a batch with included. The default is two batches of single records.
        pollers: Requests for work at a time, for workflow tasks and for activities.
        identity: Its name in Temporal; by default the client's.
        batch_log: Whether its batches have entries in the table `batches`.
        sandbox: Whether workflows run in the sandbox of the SDK.
        queue_url: Of the write path `queued`: the server of Redis or Valkey and the number of its
            database, such as redis://127.0.0.1:6379/0. Without it, no queue is consumed.
        deployment: Its version, if deploys are to use Temporal's Worker Deployment Versioning.
    """
    coalescing = coalescing or BatcherSettings()
    known = Targets(targets)
    log = BatchLog(engine, client.identity) if batch_log else None
    writes = WriteActivities(engine, client, pool_size, coalescing, known, log)
    retries = RetryActivities(engine, writes.guard)
    return Worker(
        client,
        task_queue=BATCHER_TASK_QUEUE,
        workflows=[BatcherWorkflow, DatabaseWorkflow, RetryWorkflow],
        activities=[
            writes.write_batch,
            writes.write_unbatched,
            writes.write_coalesced,
            DirectActivities(writes.coalesce).write_records,
            writes.answer_busy,
            retries.prepare_retry,
            retries.record_retry,
            writes.guard.identify,
        ],
        workflow_runner=workflow_runner(sandbox=sandbox),
        plugins=[
            # A retry submits like any other workflow.
            BatchingPlugin(),
            OneDatabasePlugin(writes.guard),
            TargetsPlugin(engine, known),
            *([BatchLogPlugin(log)] if log else []),
            *([_consuming(queue_url, client, coalescing, writes)] if queue_url else []),
            *([WakingPlugin(client, deployment)] if deployment else []),
        ],
        identity=identity,
        # While one batch of calls is written, the next one gathers.
        max_concurrent_activities=activity_slots or max(pool_size, 2 * coalescing.max_records),
        max_concurrent_workflow_task_polls=pollers,
        max_concurrent_activity_task_polls=pollers,
        graceful_shutdown_timeout=GRACEFUL_SHUTDOWN,
        deployment_config=deployment_config(deployment),
    )


def _consuming(
    queue_url: str, client: Client, settings: BatcherSettings, writes: WriteActivities
) -> SubmissionsPlugin:
    """Return what has a worker write the submissions of a queue."""
    consumers = SubmissionConsumers(
        queue_url,
        client.namespace,
        settings,
        writes.write_queued,
        writes.probe_queued,
        meter_of(client),
        client.data_converter,
    )
    return SubmissionsPlugin(consumers)
