"""What a worker needs for its workflows to use a `Requester`."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.plugin import SimplePlugin
from temporalio.service import RPCError
from temporalio.worker import (
    Interceptor,
    Worker,
    WorkerConfig,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowRunner,
)
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from batching_demo.contracts.counts import count
from batching_demo.contracts.encoding import pack
from batching_demo.contracts.limits import MAX_WRITE_BYTES
from batching_demo.contracts.payloads import UndecodableError
from batching_demo.requester.messages import PREPARE_ACTIVITY
from batching_demo.requester.queued.enqueuer import Enqueuer
from batching_demo.requester.record_texts import RecordTexts, prepare_submissions
from batching_demo.requester.submitter import Submitter
from batching_demo.requester.undecided import HIDES_RECORDS
from batching_demo.secret_files import find_secret
from batching_demo.settings import QUEUE_URL
from batching_demo.temporal.executions import MemoUnreadableError
from batching_demo.temporal.namespace_database import find_database

PACKAGE = "batching_demo"
logger = logging.getLogger(__name__)


class BatchingPlugin(SimplePlugin):
    """Adds the activities that a `Requester` needs. Give it to a worker or to the worker's client.

    It also passes this package through the workflow sandbox, so that it is not imported anew for
    every workflow. That would take about a fifth of the CPU time that a short workflow costs.

    Args:
        queue_url: For the write path `queued`: the server of Redis or Valkey and the number of its
            database, such as redis://127.0.0.1:6379/0. By default, BATCHING_DEMO_QUEUE_URL says, or
            the file that BATCHING_DEMO_QUEUE_URL_FILE names.
    """

    def __init__(self, queue_url: str | None = None) -> None:
        super().__init__(PACKAGE, workflow_runner=_with_passthrough)
        self._enqueuer = Enqueuer(
            find_secret(os.environ, QUEUE_URL) if queue_url is None else queue_url
        )
        self._client: Client | None = None
        self._running = 0

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """Return the configuration with the activities, once however often the plugin is given."""
        config = super().configure_worker(config)
        given = config.get("activities", ())
        if prepare not in given:
            client = self._client = config["client"]
            submitter = Submitter(client)
            ours = (submitter.submit_to_batcher, self._enqueuer.enqueue, prepare)
            config["activities"] = [*given, *ours]
            if client.data_converter.payload_codec:
                config["interceptors"] = [*config.get("interceptors", ()), _HidingInterceptor()]
        return config

    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:
        """Run a worker, and close the connections to the queue with the last one."""
        self._running += 1
        try:
            await self._enqueuer.prepare()
            await self._name_missing_key()
            await next(worker)
        finally:
            self._running -= 1
            if not self._running:
                await self._enqueuer.close()

    async def _name_missing_key(self) -> None:
        """Log the key that the client lacks: answers of batchers would not reach its workflows."""
        if self._client is None:
            return
        with suppress(RPCError, MemoUnreadableError):
            try:
                await find_database(self._client)
            except UndecodableError as error:
                logger.error("%s, and the EncryptionPlugin to this worker's client", error)


class _HidingInterceptor(Interceptor):
    """Lets workflow code know that records are hidden. It intercepts nothing."""

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        input.unsafe_extern_functions[HIDES_RECORDS] = lambda: True
        return None


@activity.defn(name=PREPARE_ACTIVITY)
async def prepare(texts: RecordTexts) -> bytes:
    """Prepare records that are too large for workflow code, and return packed submissions.

    Raises:
        ApplicationError: They are too large for one call of `Requester.write`.
    """
    packed = pack(await asyncio.to_thread(prepare_submissions, texts))
    if len(packed) > MAX_WRITE_BYTES:
        raise ApplicationError(
            f"{count(len(texts.keys), 'record')} of {len(packed)} bytes, at most"
            f" {MAX_WRITE_BYTES} are written in one call: write them in several",
            type="Record",
            non_retryable=True,
            category=ApplicationErrorCategory.BENIGN,
        )
    return packed


def _with_passthrough(runner: WorkflowRunner | None) -> WorkflowRunner:
    if runner is None:
        runner = SandboxedWorkflowRunner()
    if not isinstance(runner, SandboxedWorkflowRunner):
        return runner
    restrictions = runner.restrictions.with_passthrough_modules(PACKAGE)
    return replace(runner, restrictions=restrictions)
