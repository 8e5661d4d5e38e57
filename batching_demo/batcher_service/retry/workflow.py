"""The retry of a dead letter: submitted through the batcher, like any requester's records."""

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from batching_demo.batcher_service.retry.activities import RetryActivities
    from batching_demo.batcher_service.retry.messages import (
        RetryInput,
        RetryResult,
        unpack_submission,
    )
    from batching_demo.contracts.names import BUSY_SIGNAL, VERDICTS_SIGNAL
    from batching_demo.requester.grouping import Submission
    from batching_demo.requester.requester import Requester

SHARD = 0
"""Any shard may write any key, and every batcher has this one."""
# Only the database fails these activities, and it is waited for.
WHILE_DATABASE_FAILS = RetryPolicy(maximum_interval=timedelta(seconds=30))


@workflow.defn(name="RetryWorkflow")
class RetryWorkflow:
    """One attempt at storing the record of one letter."""

    @workflow.init
    def __init__(self, retry_input: RetryInput, edited: bytes) -> None:
        self._requester = Requester()

    @workflow.run
    async def run(self, retry_input: RetryInput, edited: bytes) -> RetryResult:
        """Return the verdict once it is noted in the letter."""
        letter = f"letter {retry_input.letter_id}"
        packed = await workflow.execute_activity_method(
            RetryActivities.prepare_retry,
            args=[retry_input, edited],
            start_to_close_timeout=timedelta(seconds=60),
            retry_policy=WHILE_DATABASE_FAILS,
            summary=letter,
        )
        header, records = unpack_submission(packed)
        (answer,) = await self._requester.submit(
            [(Submission(SHARD, header), records)], linger_seconds=retry_input.linger_seconds
        )
        return await workflow.execute_activity_method(
            RetryActivities.note_retry,
            args=[retry_input, answer, records if answer.problems else b""],
            start_to_close_timeout=timedelta(seconds=60),
            retry_policy=WHILE_DATABASE_FAILS,
            summary=letter,
        )

    @workflow.signal(name=VERDICTS_SIGNAL)
    def verdicts(self, *arguments: Any) -> None:
        """Take verdicts. Any arguments are accepted: the SDK drops what it cannot convert."""
        self._requester.take_verdicts(arguments)

    @workflow.signal(name=BUSY_SIGNAL)
    def busy(self, *arguments: Any) -> None:
        """Take a busy answer: the record has to be sent again, later."""
        self._requester.take_busy(arguments)
