"""Send submissions to batcher workflows by signal."""

from collections.abc import Sequence
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from batching_demo.contracts.counts import count
    from batching_demo.contracts.encoding import join
    from batching_demo.contracts.names import COMMON_SHARD, batcher_workflow_id
    from batching_demo.requester.messages import SUBMIT_ACTIVITY, SubmitInput
    from batching_demo.requester.submissions import Message

GATHER_SHARE = 0.05
"""The share of the linger that a worker takes to gather a signal: so small that nobody notices."""
LONGEST_GATHER_SECONDS = 0.25
LONGEST_SUBMIT = timedelta(seconds=60)
"""One attempt to send a signal, with the time to gather it."""


class SignalSender:
    """Signals messages to batchers.

    Args:
        linger_seconds: The batchers', to know how long a worker may gather a signal.
    """

    def __init__(self, linger_seconds: float) -> None:
        self._gather_seconds = min(LONGEST_GATHER_SECONDS, GATHER_SHARE * linger_seconds)

    async def send(self, message: Message) -> bool:
        """Send a message to its batcher, or to shard 0 if that does not run.

        Return whether one of them has it.
        """
        if await self._signal(message, message.shard):
            return True
        if message.shard == COMMON_SHARD:
            return False
        return await self._signal(message, COMMON_SHARD)

    def hindrance(self, untaken: Sequence[Message]) -> str:
        """Return which batchers do not run, and how to start them."""
        missing = sorted({COMMON_SHARD, *(message.shard for message in untaken)})
        names = ", ".join(batcher_workflow_id(shard) for shard in missing)
        return f"waiting for {names}: start it with `batching-demo batcher start`"

    async def _signal(self, message: Message, shard: int) -> bool:
        """Signal a message to a batcher, and return whether the batcher runs."""
        headers, records = join(message.submissions)
        is_running: bool = await workflow.execute_local_activity(
            SUBMIT_ACTIVITY,
            args=[SubmitInput(shard, headers, self._gather_seconds), records],
            result_type=bool,
            start_to_close_timeout=LONGEST_SUBMIT,
            retry_policy=RetryPolicy(maximum_interval=timedelta(seconds=60)),
            summary=f"{count(len(headers), 'submission')} to {batcher_workflow_id(shard)}",
        )
        return is_running
