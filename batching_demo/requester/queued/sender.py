"""Send submissions to batcher workers through a queue."""

from collections.abc import Sequence
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from batching_demo.contracts.counts import count
    from batching_demo.contracts.encoding import join
    from batching_demo.requester.messages import ENQUEUE_ACTIVITY, Enqueued, EnqueueInput
    from batching_demo.requester.submissions import Message

LONGEST_ENQUEUE = timedelta(seconds=60)


class QueueSender:
    """Adds submissions to the queue of their shard.

    One that is still queued is not added again, however long the queue is.
    """

    def __init__(self) -> None:
        self._entries: dict[str, str] = {}
        """The entry that each submission was last sent in, by submission id."""
        self._problem = ""

    async def send(self, message: Message) -> bool:
        """Have a worker add a message unless it is still queued. Return whether it is."""
        headers, records = join(message.submissions)
        enqueued: Enqueued = await workflow.execute_local_activity(
            ENQUEUE_ACTIVITY,
            args=[EnqueueInput(message.shard, headers, self._sent_in(message)), records],
            result_type=Enqueued,
            start_to_close_timeout=LONGEST_ENQUEUE,
            retry_policy=RetryPolicy(maximum_interval=timedelta(seconds=60)),
            summary=f"{count(len(headers), 'submission')} to the queue of shard {message.shard}",
        )
        if enqueued.problem:
            self._problem = enqueued.problem
        for header, entry in zip(headers, enqueued.entries, strict=False):
            self._entries[header.submission_id] = entry
        return not enqueued.problem

    def _sent_in(self, message: Message) -> list[str]:
        """Return the entry of each submission; empty for one that was never added."""
        ids = (submission.header.submission_id for submission in message.submissions)
        return [self._entries.get(one, "") for one in ids]

    def hindrance(self, untaken: Sequence[Message]) -> str:
        """Return why the queue did not take a message, and what to do about it."""
        return f"waiting for the queue: {self._problem}"
