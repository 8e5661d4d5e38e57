"""Have records written by an activity of the batcher service, which returns their verdicts."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, TimeoutType, is_cancelled_exception
from temporalio.exceptions import TimeoutError as TimedOutError

with workflow.unsafe.imports_passed_through():
    from batching_demo.contracts.counts import count
    from batching_demo.contracts.encoding import join
    from batching_demo.contracts.limits import MAX_RETURNING_RECORDS
    from batching_demo.contracts.messages import Submission, Verdicts
    from batching_demo.contracts.names import BATCHER_TASK_QUEUE, WRITE_ACTIVITIES, WritePath
    from batching_demo.contracts.targets import RECORDS_TARGET
    from batching_demo.requester.grouping import grouped
    from batching_demo.requester.submissions import Message, bounded
    from batching_demo.requester.undecided import deadline_passed, show_cancelled

LONGEST_WRITE = timedelta(minutes=10)
"""One attempt, with the wait for a connection. It may take long, since missing heartbeats tell
sooner that a worker has died."""
HEARTBEAT_TIMEOUT = timedelta(seconds=30)
RETRY = RetryPolicy(maximum_interval=timedelta(seconds=60))


async def write_by_activity(
    path: WritePath,
    submissions: Sequence[Submission],
    *,
    linger_seconds: float,
    deadline_seconds: float | None = None,
) -> list[Verdicts]:
    """Have submissions written by an activity, and return the verdicts of each, in their order.

    Args:
        path: Unbatched or coalesced.
        submissions: Their ids stay the same in every attempt.
        linger_seconds: How long a worker may gather calls. The activity may take so much longer.
        deadline_seconds: After how many seconds to stop waiting; None waits until all is decided.

    Raises:
        ApplicationError: The deadline has passed; the message names the records without a verdict.
        ActivityError: An activity was cancelled, or cannot be tried again.
    """

    async def write(message: Message) -> list[Verdicts]:
        headers, records = join(message.submissions)
        answers: list[Verdicts] = await workflow.execute_activity(
            WRITE_ACTIVITIES[path],
            args=[headers, records],
            result_type=list[Verdicts],
            task_queue=BATCHER_TASK_QUEUE,
            start_to_close_timeout=LONGEST_WRITE + timedelta(seconds=linger_seconds),
            schedule_to_close_timeout=(
                timedelta(seconds=deadline_seconds) if deadline_seconds else None
            ),
            heartbeat_timeout=HEARTBEAT_TIMEOUT,
            retry_policy=RETRY,
            summary=count(sum(header.records for header in headers), "record"),
        )
        return answers

    try:
        answered = await asyncio.gather(*map(write, _calls(submissions)))
    except (asyncio.CancelledError, ActivityError) as error:
        if is_cancelled_exception(error):
            show_cancelled(submissions)
        if not _is_deadline(error):
            raise
        raise deadline_passed(submissions) from None
    by_id = {answer.submission_id: answer for answers in answered for answer in answers}
    return [by_id[submission.header.submission_id] for submission in submissions]


def _calls(submissions: Sequence[Submission]) -> list[Message]:
    """Return submissions as the messages of one activity each."""
    calls: list[Message] = []
    for message in grouped(submissions):
        header = message.submissions[0].header
        # The result of an activity has the returned columns of all its records.
        is_own = header.target != RECORDS_TARGET
        calls += bounded(message, MAX_RETURNING_RECORDS) if is_own else [message]
    return calls


def _is_deadline(error: BaseException) -> bool:
    # The schedule-to-close timeout also bounds the time in the task queue. Then the server names
    # the other type.
    ends = (TimeoutType.SCHEDULE_TO_CLOSE, TimeoutType.SCHEDULE_TO_START)
    cause = error.cause if isinstance(error, ActivityError) else None
    return isinstance(cause, TimedOutError) and cause.type in ends
