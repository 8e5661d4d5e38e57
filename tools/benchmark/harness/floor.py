"""The floor: main workflows that load and prepare their records, and write nothing.

They have a task queue of their own. A client from `on_floor` starts main workflows there, and a
main worker of such a client serves them.
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
        """Return the counts of a slice of which nothing was written."""
        return await super().run(main_input)

    @override
    async def _write(self, prepared: Prepared) -> list[Verdicts]:
        return []


def on_floor(client: Client) -> Client:
    """Return a client of the same server that starts and serves the floor."""
    config = client.config()
    config["plugins"] = [FloorPlugin()]
    return Client(**config)


class FloorPlugin(SimplePlugin):
    """Moves what a client starts, and the main worker that it runs, to the floor."""

    def __init__(self) -> None:
        super().__init__("benchmark-floor", interceptors=[_OnFloorQueue()])

    @override
    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """Replace the workflow of a main worker, and its task queue."""
        config["task_queue"] = FLOOR_TASK_QUEUE
        config["workflows"] = [FloorWorkflow]
        # Like the worker's own runner, which imports modules once; see `workflow_runner`.
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
