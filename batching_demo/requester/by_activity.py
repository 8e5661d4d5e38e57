"""Have records written by an activity of the batcher service, which returns their verdicts."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutType
from temporalio.exceptions import TimeoutError as TimedOutError

with workflow.unsafe.imports_passed_through():
    from batching_demo.contracts.messages import Verdicts
    from batching_demo.contracts.names import BATCHER_TASK_QUEUE, WRITE_ACTIVITIES, WritePath
    from batching_demo.requester.grouping import Parcel, Prepared, parcels
    from batching_demo.requester.undecided import describe_undecided

LONGEST_WRITE = timedelta(minutes=10)
"""A turn at a connection included; a worker that died is noticed by its heartbeats."""
HEARTBEAT_TIMEOUT = timedelta(seconds=30)
RETRY = RetryPolicy(maximum_interval=timedelta(seconds=60))


async def write_by_activity(
    path: WritePath,
    prepared: Prepared,
    *,
    linger_seconds: float,
    deadline_seconds: float | None = None,
) -> list[Verdicts]:
    """Write submissions on a path that is an activity, and wait for all verdicts.

    Args:
        path: unbatched or coalesced.
        prepared: submissions whose ids stay the same in every attempt.
        linger_seconds: how long a worker may gather; added to what a write may take.
        deadline_seconds: when to stop waiting.

    Raises:
        ApplicationError: the deadline passed; the message names the records.
    """

    async def write(parcel: Parcel) -> list[Verdicts]:
        answers: list[Verdicts] = await workflow.execute_activity(
            WRITE_ACTIVITIES[path],
            args=[parcel.headers, parcel.records],
            result_type=list[Verdicts],
            task_queue=BATCHER_TASK_QUEUE,
            start_to_close_timeout=LONGEST_WRITE + timedelta(seconds=linger_seconds),
            schedule_to_close_timeout=(
                timedelta(seconds=deadline_seconds) if deadline_seconds else None
            ),
            heartbeat_timeout=HEARTBEAT_TIMEOUT,
            retry_policy=RETRY,
            summary=f"{sum(header.records for header in parcel.headers)} records",
        )
        return answers

    try:
        answers = await asyncio.gather(*(write(parcel) for parcel in parcels(prepared)))
    except ActivityError as error:
        if _is_deadline(error):
            undecided = describe_undecided([records for _, records in prepared])
            raise ApplicationError(
                f"deadline passed: {undecided}", type="Deadline", non_retryable=True
            ) from None
        raise
    return _flat(answers)


def _is_deadline(error: ActivityError) -> bool:
    # The server takes the deadline for the longest time in the queue, too.
    ends = (TimeoutType.SCHEDULE_TO_CLOSE, TimeoutType.SCHEDULE_TO_START)
    return isinstance(error.cause, TimedOutError) and error.cause.type in ends


def _flat(answers: Sequence[Sequence[Verdicts]]) -> list[Verdicts]:
    return [verdicts for parcel in answers for verdicts in parcel]
