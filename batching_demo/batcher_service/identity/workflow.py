"""The workflow whose memo says which database a namespace is for."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.workflow import ContinueAsNewVersioningBehavior

with workflow.unsafe.imports_passed_through():
    from batching_demo.contracts.identity import (
        DATABASE_WORKFLOW,
        IDENTIFY_ACTIVITY,
        IDENTIFY_UPDATE,
    )
    from batching_demo.contracts.names import WAKE_SIGNAL

LONGEST_LOOK = timedelta(seconds=30)


@workflow.defn(name=DATABASE_WORKFLOW)
class DatabaseWorkflow:
    """Runs for ever. Its memo has the identity of the namespace's database."""

    @workflow.run
    async def run(self) -> None:
        """Wait, and continue as new when the history is long, or for another version."""
        info = workflow.info()
        await workflow.wait_condition(
            lambda: (
                (
                    info.is_continue_as_new_suggested()
                    or info.is_target_worker_deployment_version_changed()
                )
                and workflow.all_handlers_finished()
            )
        )
        # The memo stays.
        workflow.continue_as_new(
            initial_versioning_behavior=ContinueAsNewVersioningBehavior.AUTO_UPGRADE
        )

    @workflow.signal(name=WAKE_SIGNAL)
    def wake(self) -> None:
        """Look whether another version of the workers is to go on: `run` does that."""

    @workflow.update(name=IDENTIFY_UPDATE)
    async def identify(self) -> str:
        """Have the worker look at its database, and return the identity.

        Raises:
            ActivityError: The namespace is for another database.
        """
        identity: str = await workflow.execute_local_activity(
            IDENTIFY_ACTIVITY,
            result_type=str,
            start_to_close_timeout=LONGEST_LOOK,
            retry_policy=RetryPolicy(maximum_attempts=1),
        )
        return identity
