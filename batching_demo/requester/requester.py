"""Submit records to batchers from a workflow, and never give up on a maybe."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from batching_demo.contracts.messages import Verdicts
    from batching_demo.contracts.names import batcher_workflow_id
    from batching_demo.requester.answers import Answers
    from batching_demo.requester.grouping import Parcel, Prepared, parcels
    from batching_demo.requester.submitter import SubmitInput, Submitter
    from batching_demo.requester.undecided import describe_undecided

SHORTEST_PATIENCE_SECONDS = 60.0
LONGEST_PATIENCE_SECONDS = 600.0
LONGEST_WAIT_FOR_BATCHER_SECONDS = 60.0
COMMON_SHARD = 0
"""Takes the records of shards that do not run: any shard may write any key."""
GATHER_SHARE = 0.05
"""Of the linger: what a worker may take to gather a signal, which nobody then notices."""
LONGEST_GATHER_SECONDS = 0.25


class Requester:
    """Part of a workflow that has records to store.

    The workflow makes one in its `@workflow.init`, passes the arguments of its `verdicts` and
    `busy` signals on, and awaits `submit`.
    """

    def __init__(self) -> None:
        self.answers = Answers()
        self._pause = 1.0

    def take_verdicts(self, arguments: Sequence[object]) -> None:
        """Take a `verdicts` signal, whatever its arguments."""
        if problem := self.answers.read_verdicts(arguments):
            workflow.logger.warning("malformed verdicts signal: %s", problem)

    def take_busy(self, arguments: Sequence[object]) -> None:
        """Take a `busy` signal, whatever its arguments."""
        if problem := self.answers.read_busy(arguments, workflow.time()):
            workflow.logger.warning("malformed busy signal: %s", problem)

    async def submit(
        self, prepared: Prepared, *, linger_seconds: float, deadline_seconds: float | None = None
    ) -> list[Verdicts]:
        """Submit until every record has its verdict; an answer or a batcher may be lost.

        Args:
            prepared: submissions whose ids stay the same however often they are sent.
            linger_seconds: the batchers', to know when an answer is overdue.
            deadline_seconds: when to stop waiting.

        Raises:
            ApplicationError: the deadline passed; the message names records without a verdict.
        """
        try:
            async with asyncio.timeout(deadline_seconds):
                await self._submit_until_answered(prepared, linger_seconds)
        except TimeoutError:
            raise ApplicationError(
                f"deadline passed: {self._undecided(prepared)}", type="Deadline", non_retryable=True
            ) from None
        except asyncio.CancelledError:
            workflow.set_current_details(f"cancelled: {self._undecided(prepared)}")
            workflow.logger.warning("cancelled: %s", self._undecided(prepared))
            raise
        return self.answers.to([submission.header for submission, _ in prepared])

    async def _submit_until_answered(self, prepared: Prepared, linger_seconds: float) -> None:
        patience = max(SHORTEST_PATIENCE_SECONDS, 3 * linger_seconds)
        gather_seconds = min(LONGEST_GATHER_SECONDS, GATHER_SHARE * linger_seconds)
        while unanswered := self._unanswered(prepared):
            now = workflow.time()
            due = [one for one in unanswered if self.answers.due_at(one[0].header) <= now]
            if due:
                if any(self.answers.is_overdue(submission.header) for submission, _ in due):
                    patience = min(2 * patience, LONGEST_PATIENCE_SECONDS)
                await self._submit_once(due, patience, gather_seconds)
            await self._wait_for_answers(prepared)

    async def _submit_once(self, due: Prepared, patience: float, gather_seconds: float) -> None:
        """Submit what is due; what no batcher takes is due again soon, and holds up nothing."""
        # Noted first: the answer may come before the server says that the signal arrived.
        self.answers.sending([submission.header for submission, _ in due])
        sent = parcels(due)
        delivered = await asyncio.gather(*(_deliver(parcel, gather_seconds) for parcel in sent))
        again_at = workflow.time() + _jittered(patience)
        undelivered = []
        for parcel, is_delivered in zip(sent, delivered, strict=True):
            if is_delivered:
                self.answers.sent(parcel.headers, again_at)
            else:
                undelivered.append(parcel)
        self._wait_for_batchers(undelivered)

    def _wait_for_batchers(self, undelivered: Sequence[Parcel]) -> None:
        """Say which batchers do not run, and when they are tried again."""
        if not undelivered:
            self._pause = 1.0
            workflow.set_current_details("waiting for verdicts")
            return
        missing = sorted({COMMON_SHARD, *(parcel.shard for parcel in undelivered)})
        names = ", ".join(batcher_workflow_id(shard) for shard in missing)
        advice = f"waiting for {names}: start it with `batching-demo batcher start`"
        workflow.set_current_details(advice)
        workflow.logger.warning(advice)
        again_at = workflow.time() + _jittered(self._pause)
        self._pause = min(2 * self._pause, LONGEST_WAIT_FOR_BATCHER_SECONDS)
        for parcel in undelivered:
            self.answers.not_sent(parcel.headers, again_at)

    async def _wait_for_answers(self, prepared: Prepared) -> None:
        """Wait until all is answered, or something is to be submitted again."""
        next_at = self._next_at(prepared)
        if next_at is None:
            return
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._next_at(prepared) != next_at,
                timeout=max(0.0, next_at - workflow.time()),
                timeout_summary="submit again",
            )

    def _next_at(self, prepared: Prepared) -> float | None:
        """Tell when the next submission is to be sent again; None once all are answered."""
        unanswered = self._unanswered(prepared)
        return min((self.answers.due_at(one.header) for one, _ in unanswered), default=None)

    def _unanswered(self, prepared: Prepared) -> Prepared:
        return [one for one in prepared if self.answers.answer_to(one[0].header) is None]

    def _undecided(self, prepared: Prepared) -> str:
        return describe_undecided([records for _, records in self._unanswered(prepared)])


async def _deliver(parcel: Parcel, gather_seconds: float) -> bool:
    """Submit a parcel to its batcher, or to the common one if that does not run."""
    if await _submit(parcel, gather_seconds):
        return True
    if parcel.shard == COMMON_SHARD:
        return False
    return await _submit(replace(parcel, shard=COMMON_SHARD), gather_seconds)


async def _submit(parcel: Parcel, gather_seconds: float) -> bool:
    return await workflow.execute_local_activity_method(
        Submitter.submit_to_batcher,
        args=[SubmitInput(parcel.shard, parcel.headers, gather_seconds), parcel.records],
        start_to_close_timeout=timedelta(seconds=60),
        retry_policy=RetryPolicy(maximum_interval=timedelta(seconds=60)),
        summary=f"{len(parcel.headers)} submissions to {batcher_workflow_id(parcel.shard)}",
    )


def _jittered(seconds: float) -> float:
    return seconds * workflow.random().uniform(0.9, 1.1)
