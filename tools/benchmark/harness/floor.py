"""The floor: main workflows that load and prepare their records, and write nothing."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from batching_demo.contracts.names import MAIN_WORKFLOW
    from batching_demo.main_service.messages import MainInput, MainResult
    from batching_demo.main_service.workflow import load_and_prepare

FLOOR_TASK_QUEUE = "benchmark-floor"
"""Of the worker that runs them, so that one starter can start both kinds of main workflows."""


@workflow.defn(name=MAIN_WORKFLOW)
class FloorWorkflow:
    """A main workflow without its write."""

    @workflow.run
    async def run(self, main_input: MainInput) -> MainResult:
        """Return an empty result once the slice is prepared."""
        await load_and_prepare(main_input)
        return MainResult()
