"""Have records written by a batcher workflow, and submit again until it has answered."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from batching_demo.contracts.counts import count
    from batching_demo.contracts.encoding import join
    from batching_demo.contracts.messages import Submission, Verdicts
    from batching_demo.contracts.names import COMMON_SHARD, batcher_workflow_id
    from batching_demo.requester.grouping import grouped
    from batching_demo.requester.inbox import Inbox
    from batching_demo.requester.messages import SUBMIT_ACTIVITY, SubmitInput
    from batching_demo.requester.submissions import Message
    from batching_demo.requester.undecided import deadline_passed, show_cancelled

SHORTEST_ACK_TIMEOUT_SECONDS = 60.0
LONGEST_ACK_TIMEOUT_SECONDS = 600.0
"""The longest wait after a resubmission."""
LONGEST_WAIT_FOR_BATCHER_SECONDS = 60.0
"""Between two attempts to reach a batcher that does not run."""
GATHER_SHARE = 0.05
"""The share of the linger that a worker takes to gather a signal: so small that nobody notices."""
LONGEST_GATHER_SECONDS = 0.25
LONGEST_SUBMIT = timedelta(seconds=60)
"""One attempt to send a signal, with the time to gather it."""


class SignalWriter:
    """Submits to batchers by signal, again and again until every submission has its verdicts.

    A signal, an answer or a batcher may be missing. Nothing but the verdicts shows what became of a
    submission, so it does not give up before.

    Args:
        inbox: With the answers that the workflow's signal handlers have taken.
        linger_seconds: The batchers', to know when an answer is overdue.
    """

    def __init__(self, inbox: Inbox, linger_seconds: float) -> None:
        self._inbox, self._answers = inbox, inbox.answers
        self._ack_timeout = max(SHORTEST_ACK_TIMEOUT_SECONDS, 3 * linger_seconds)
        self._gather_seconds = min(LONGEST_GATHER_SECONDS, GATHER_SHARE * linger_seconds)
        self._pause = 1.0
        """Seconds until a batcher that does not run is tried again."""

    async def write(
        self, submissions: Sequence[Submission], *, deadline_seconds: float | None = None
    ) -> list[Verdicts]:
        """Submit until every record has its verdict. Return the verdicts of each submission.

        They are in the order of the submissions. Cancelled, it shows which records are undecided.

        Args:
            submissions: Their ids stay the same however often they are sent.
            deadline_seconds: After how many seconds to stop waiting; None waits until all is
                decided.

        Raises:
            ApplicationError: The deadline has passed; the message names the records without a
                verdict.
        """
        self._inbox.write_begins()
        try:
            async with asyncio.timeout(deadline_seconds):
                await self._submit_until_answered(submissions)
        except TimeoutError:
            self._inbox.write_ended()
            raise deadline_passed(self._unanswered(submissions)) from None
        except asyncio.CancelledError:
            self._inbox.write_ended()
            show_cancelled(self._unanswered(submissions))
            raise
        self._inbox.write_ended()
        return self._answers.to(submissions)

    async def _submit_until_answered(self, submissions: Sequence[Submission]) -> None:
        ack_timeout = self._ack_timeout
        while unanswered := self._unanswered(submissions):
            now = workflow.time()
            due = [one for one in unanswered if self._answers.due_at(one) <= now]
            if due:
                if any(map(self._answers.is_overdue, due)):
                    doubled = min(2 * ack_timeout, LONGEST_ACK_TIMEOUT_SECONDS)
                    ack_timeout = max(ack_timeout, doubled)
                await self._submit_once(due, ack_timeout)
            await self._wait_for_answers(submissions)

    async def _submit_once(self, due: Sequence[Submission], ack_timeout: float) -> None:
        """Send submissions that are due, and set when they are due again.

        Args:
            due: The submissions.
            ack_timeout: After how many seconds to send them again without an answer. Those that no
                batcher takes are due again sooner.
        """
        # Noted before they are sent: an answer may come before the activity has returned.
        self._answers.sending(due)
        messages = grouped(due)
        delivered = await asyncio.gather(*(self._deliver(one) for one in messages))
        again_at = workflow.time() + _jittered(ack_timeout)
        undelivered = []
        for message, is_delivered in zip(messages, delivered, strict=True):
            if is_delivered:
                self._answers.sent(message.submissions, again_at)
            else:
                undelivered.append(message)
        self._wait_for_batchers(undelivered)

    def _wait_for_batchers(self, undelivered: Sequence[Message]) -> None:
        """Show which batchers do not run, and set when their messages are sent again."""
        if not undelivered:
            self._pause = 1.0
            workflow.set_current_details("waiting for verdicts")
            return
        missing = sorted({COMMON_SHARD, *(message.shard for message in undelivered)})
        names = ", ".join(batcher_workflow_id(shard) for shard in missing)
        advice = f"waiting for {names}: start it with `batching-demo batcher start`"
        workflow.set_current_details(advice)
        workflow.logger.warning(advice)
        again_at = workflow.time() + _jittered(self._pause)
        self._pause = min(2 * self._pause, LONGEST_WAIT_FOR_BATCHER_SECONDS)
        for message in undelivered:
            self._answers.not_sent(message.submissions, again_at)

    async def _deliver(self, message: Message) -> bool:
        """Send a message to its batcher, or to shard 0 if that does not run.

        Return whether one of them has it.
        """
        if await _signal(message, message.shard, self._gather_seconds):
            return True
        if message.shard == COMMON_SHARD:
            return False
        return await _signal(message, COMMON_SHARD, self._gather_seconds)

    async def _wait_for_answers(self, submissions: Sequence[Submission]) -> None:
        """Wait until an answer changes what is due next, or until a submission is due again."""
        next_at = self._next_at(submissions)
        if next_at is None:
            return
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._next_at(submissions) != next_at,
                timeout=max(0.0, next_at - workflow.time()),
                timeout_summary="submit again",
            )

    def _next_at(self, submissions: Sequence[Submission]) -> float | None:
        """Return when the next submission is due; None once all are answered."""
        return min(map(self._answers.due_at, self._unanswered(submissions)), default=None)

    def _unanswered(self, submissions: Sequence[Submission]) -> list[Submission]:
        return [one for one in submissions if self._answers.answer_to(one) is None]


async def _signal(message: Message, shard: int, gather_seconds: float) -> bool:
    """Signal a message to a batcher, and return whether the batcher runs."""
    headers, records = join(message.submissions)
    is_running: bool = await workflow.execute_local_activity(
        SUBMIT_ACTIVITY,
        args=[SubmitInput(shard, headers, gather_seconds), records],
        result_type=bool,
        start_to_close_timeout=LONGEST_SUBMIT,
        retry_policy=RetryPolicy(maximum_interval=timedelta(seconds=60)),
        summary=f"{count(len(headers), 'submission')} to {batcher_workflow_id(shard)}",
    )
    return is_running


def _jittered(seconds: float) -> float:
    return seconds * workflow.random().uniform(0.9, 1.1)
