"""The floor: main workflows that load and prepare their records, and write nothing.

They have their own task queue. A client from `on_floor` starts its main workflows there, and a main
worker with such a client runs them.
"""

from typing import Any

from temporalio import workflow
from temporalio.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    StartWorkflowInput,
    WorkflowHandle,
)
from temporalio.plugin import SimplePlugin
from temporalio.worker import WorkerConfig
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from typing_extensions import override

with workflow.unsafe.imports_passed_through():
    from batching_demo.contracts.messages import Verdicts
    from batching_demo.main_service.messages import MainInput, MainResult
    from batching_demo.main_service.workflow import MainWorkflow
    from batching_demo.requester.grouping import Prepared

FLOOR_TASK_QUEUE = "benchmark-floor"


@workflow.defn(name="MainWorkflow")
class FloorWorkflow(MainWorkflow):
    """A main workflow without its write."""

    @workflow.init
    def __init__(self, main_input: MainInput) -> None:
        super().__init__(main_input)

    @workflow.run
    @override
    async def run(self, main_input: MainInput) -> MainResult:
        """Return the result of a slice of which nothing is written."""
        return await super().run(main_input)

    @override
    async def _write(self, prepared: Prepared) -> list[Verdicts]:
        return []


def on_floor(client: Client) -> Client:
    """Return a client of the same server that works on the floor's queue."""
    config = client.config()
    config["plugins"] = [FloorPlugin()]
    return Client(**config)


class FloorPlugin(SimplePlugin):
    """Move a client's main workflows and main worker to the floor's queue."""

    def __init__(self) -> None:
        super().__init__("benchmark-floor", interceptors=[_OnFloorQueue()])

    @override
    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """Replace the workflow and the task queue of a main worker."""
        config["task_queue"] = FLOOR_TASK_QUEUE
        config["workflows"] = [FloorWorkflow]
        # Like the main worker's own runner, see `workflow_runner`, but also for this module.
        passed = SandboxRestrictions.default.with_passthrough_modules("batching_demo", "tools")
        config["workflow_runner"] = SandboxedWorkflowRunner(restrictions=passed)
        return config


class _OnFloorQueue(Interceptor):
    @override
    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        return _Outbound(next)


class _Outbound(OutboundInterceptor):
    @override
    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        input.task_queue = FLOOR_TASK_QUEUE
        return await super().start_workflow(input)
