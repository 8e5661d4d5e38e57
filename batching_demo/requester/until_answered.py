"""Submit records again and again, until every submission has its verdicts."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from batching_demo.contracts.messages import Submission, Verdicts
    from batching_demo.requester.grouping import grouped
    from batching_demo.requester.inbox import Inbox
    from batching_demo.requester.submissions import Message
    from batching_demo.requester.undecided import deadline_passed, show_cancelled

SHORTEST_ACK_TIMEOUT_SECONDS = 60.0
LONGEST_ACK_TIMEOUT_SECONDS = 600.0
"""The longest wait after a resubmission."""
LONGEST_PAUSE_SECONDS = 60.0
"""Between two attempts to send a message that nobody takes."""


class Sender(Protocol):
    """Sends messages to whoever has them written."""

    async def send(self, message: Message) -> bool:
        """Send a message, and return whether it was taken."""

    def hindrance(self, untaken: Sequence[Message]) -> str:
        """Return what messages that were not taken wait for, and what to do about it."""


class UntilAnswered:
    """Submits again and again until every submission has its verdicts.

    A message, an answer or whoever takes messages may be missing. Nothing but the verdicts shows
    what happened to a submission, so it does not give up before.

    Args:
        inbox: With the answers that the workflow's signal handlers have taken.
        linger_seconds: The batchers', to know when an answer is overdue.
        sender: Sends the submissions.
    """

    def __init__(self, inbox: Inbox, linger_seconds: float, sender: Sender) -> None:
        self._inbox, self._answers, self._sender = inbox, inbox.answers, sender
        self._ack_timeout = max(SHORTEST_ACK_TIMEOUT_SECONDS, 3 * linger_seconds)
        self._pause = 1.0
        """Seconds until a message that nobody took is sent again."""

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
            ack_timeout: After how many seconds to send them again without an answer. Those that
                nobody takes are due again sooner.
        """
        # Noted before they are sent: an answer may come before the activity has returned.
        self._answers.sending(due)
        messages = grouped(due)
        taken = await asyncio.gather(*map(self._sender.send, messages))
        again_at = workflow.time() + _jittered(ack_timeout)
        untaken = []
        for message, is_taken in zip(messages, taken, strict=True):
            if is_taken:
                self._answers.sent(message.submissions, again_at)
            else:
                untaken.append(message)
        self._wait_for_taker(untaken)

    def _wait_for_taker(self, untaken: Sequence[Message]) -> None:
        """Show what messages wait for that nobody took, and set when they are sent again."""
        if not untaken:
            self._pause = 1.0
            workflow.set_current_details("waiting for verdicts")
            return
        hindrance = self._sender.hindrance(untaken)
        workflow.set_current_details(hindrance)
        workflow.logger.warning(hindrance)
        again_at = workflow.time() + _jittered(self._pause)
        for message in untaken:
            self._answers.not_sent(message.submissions, again_at)
        self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)

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


def _jittered(seconds: float) -> float:
    return seconds * workflow.random().uniform(0.9, 1.1)
