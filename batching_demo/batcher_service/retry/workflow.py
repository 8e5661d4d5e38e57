"""The retry of a dead letter: submitted through the batcher, like any requester's records."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from batching_demo.contracts.encoding import unpack
    from batching_demo.contracts.names import RETRY_WORKFLOW
    from batching_demo.contracts.operations import BatcherSettings
    from batching_demo.contracts.retries import (
        PREPARE_RETRY,
        RECORD_RETRY,
        RetryInput,
        RetryResult,
    )
    from batching_demo.requester.requester import Requester

# Only the database fails these activities, and it is waited for.
WHILE_DATABASE_FAILS = RetryPolicy(maximum_interval=timedelta(seconds=30))
LONGEST_ACTIVITY = timedelta(seconds=60)


@workflow.defn(name=RETRY_WORKFLOW)
class RetryWorkflow:
    """One attempt at storing the record of one dead letter."""

    @workflow.run
    async def run(self, retry_input: RetryInput, edited: bytes) -> RetryResult:
        """Return the verdict once it is recorded in the dead letter."""
        summary = f"dead letter {retry_input.dead_letter_id}"
        requester = Requester(BatcherSettings(linger_seconds=retry_input.linger_seconds))
        packed = await workflow.execute_activity(
            PREPARE_RETRY,
            args=[retry_input, edited],
            result_type=bytes,
            start_to_close_timeout=LONGEST_ACTIVITY,
            retry_policy=WHILE_DATABASE_FAILS,
            summary=summary,
        )
        submissions = unpack(packed)
        (answer,) = await requester.submit(submissions)
        result: RetryResult = await workflow.execute_activity(
            RECORD_RETRY,
            args=[retry_input, answer, submissions[0].records if answer.problems else b""],
            result_type=RetryResult,
            start_to_close_timeout=LONGEST_ACTIVITY,
            retry_policy=WHILE_DATABASE_FAILS,
            summary=summary,
        )
        return result
