"""The batcher: collects submissions and has them written, one bulk INSERT a batch, for ever."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from batching_demo.batcher_service.activities import WriteActivities
    from batching_demo.batcher_service.admission import LARGEST_BUFFER_BYTES, Admission
    from batching_demo.batcher_service.buffer import Buffer, Submission
    from batching_demo.batcher_service.messages import (
        BatcherStatus,
        BatchHeader,
        Carried,
        busy_answers,
        pack_carried,
        unpack_carried,
    )
    from batching_demo.batcher_service.submit import read_submit, refuse_signal
    from batching_demo.contracts import KIB, SUBMIT_SIGNAL, BatcherInput, SubmissionHeader

MAX_SIGNALS = 2_000
"""The server refuses the 10,000th signal of a run, and its hint does not count them."""
HARD_SIGNALS = 5_000
HARD_EVENTS = 8_000
"""Beyond either, a run does not wait for its writes: the next run repeats them."""
RETRY_WHILE_FAILING_SECONDS = 60.0
ANSWERED_AT_ONCE = 1_000
"""Submissions; their names have to fit into one message."""
MOST_WITH_ANONYMOUS_BYTES = LARGEST_BUFFER_BYTES + 64 * KIB


@dataclass(frozen=True)
class Batch:
    """Submissions on their way to Postgres."""

    header: BatchHeader
    submissions: Sequence[Submission]

    @property
    def records(self) -> bytes:
        """The records of all its submissions, joined."""
        return b"".join(submission.records for submission in self.submissions)


@workflow.defn(name="BatcherWorkflow")
class BatcherWorkflow:
    """One shard. State is built before the first signal is handled, and never after."""

    @workflow.init
    def __init__(self, batcher_input: BatcherInput, carried: bytes) -> None:
        self._input = batcher_input
        left, submissions = unpack_carried(carried)
        self._buffer = Buffer(batcher_input.settings, submissions)
        self._admission = Admission(left.line, left.bytes_per_second)
        self._health = left.health
        self._totals = left.totals
        self._in_flight: list[Batch] = []
        self._turned_away: list[tuple[SubmissionHeader, float]] = []
        self._is_answering = False
        self._signals = 0

    @workflow.run
    async def run(self, batcher_input: BatcherInput, carried: bytes) -> None:
        """Write whatever is due until the history is long, then go on in a new run."""
        tasks: list[asyncio.Task[None]] = []
        while not self._may_continue_as_new():
            await self._wait_for_work()
            tasks = _unfinished(tasks)
            if self._turned_away and not self._is_answering:
                tasks.append(asyncio.create_task(self._answer_busy()))
            while batch := self._next_batch():
                tasks.append(asyncio.create_task(self._write(batch)))
        workflow.continue_as_new(args=[batcher_input, self._carry()])

    @workflow.signal(dynamic=True)
    def submit(self, name: str, arguments: Sequence[RawValue]) -> None:
        """Buffer submissions. Whatever comes is taken raw: the SDK drops what it cannot decode."""
        self._signals += 1
        payloads = [argument.payload for argument in arguments]
        for submission in self._read(name, payloads):
            self._admit(submission)

    @workflow.query
    def status(self) -> BatcherStatus:
        """Say what waits, what is being written and what has been done."""
        oldest = next(iter(self._buffer), None)
        return BatcherStatus(
            shard=self._input.shard,
            buffered_records=self._buffer.records,
            buffered_bytes=self._buffer.bytes,
            oldest_age_seconds=workflow.time() - oldest.received_at if oldest else 0.0,
            in_flight=len(self._in_flight),
            in_line=len(self._admission),
            consecutive_failures=self._health.failures,
            last_error=self._health.last_error,
            totals=self._totals,
        )

    def _read(self, name: str, payloads: Sequence[Payload]) -> list[Submission]:
        now = workflow.time()
        if name != SUBMIT_SIGNAL:
            return refuse_signal(f"unknown signal {name[:100]!r}", payloads, now, self._new_id)
        try:
            arguments = workflow.payload_converter().from_payloads(payloads)
        except Exception as error:  # whatever a converter raises
            reason = f"arguments cannot be decoded ({type(error).__name__})"
            return refuse_signal(reason, payloads, now, self._new_id)
        return read_submit(arguments, now, self._new_id)

    @staticmethod
    def _new_id() -> str:
        return str(workflow.uuid4())

    def _admit(self, submission: Submission) -> None:
        """Buffer a submission if there is room; otherwise note whom to tell."""
        header = submission.header
        if self._buffer.knows(submission):
            return
        if not header.requester and self._buffer.bytes < MOST_WITH_ANONYMOUS_BYTES:
            # Nobody could be told to come back, so it takes what is kept free for such.
            self._buffer.add(submission)
            return
        wait = self._admission.ask(
            header.submission_id,
            submission.size,
            self._buffer.bytes,
            workflow.time(),
            at_least=RETRY_WHILE_FAILING_SECONDS if self._health.is_failing else 0.0,
        )
        if wait is None:
            self._buffer.add(submission)
        else:
            self._totals.turned_away += 1
            self._turned_away.append((header, wait))
            room = LARGEST_BUFFER_BYTES - self._buffer.bytes
            self._buffer.is_full = self._buffer.is_full or submission.size > room

    async def _wait_for_work(self) -> None:
        """Wait until there is something to do; a timer runs only while something waits."""
        wake_at = self._wake_at()
        timeout = None if wake_at is None else max(0.0, wake_at - workflow.time())
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: (
                    self._is_due()
                    or self._may_continue_as_new()
                    or self._wake_at() != wake_at
                    or bool(self._turned_away and not self._is_answering)
                ),
                timeout=timeout,
                timeout_summary="retry" if self._health.is_failing else "linger",
            )

    def _wake_at(self) -> float | None:
        """Tell when time alone lets a batch be written."""
        due_at = self._buffer.due_at()
        if due_at is None or not self._may_write():
            return None
        if self._buffer.is_due(workflow.time()):
            return self._health.retry_at
        return max(due_at, self._health.retry_at)

    def _may_write(self) -> bool:
        """Tell if another write may start; while the database fails, one at a time probes it."""
        at_most = 1 if self._health.is_failing else self._input.settings.max_in_flight
        return len(self._in_flight) < at_most and not self._should_continue_as_new()

    def _is_due(self) -> bool:
        now = workflow.time()
        may = self._may_write() and self._health.retry_at <= now
        return may and self._buffer.is_due(now) is not None

    def _next_batch(self) -> Batch | None:
        reason = self._buffer.is_due(workflow.time())
        if reason is None or not self._is_due():
            return None
        submissions = self._buffer.take()
        headers = [submission.header for submission in submissions]
        records = sum(header.records for header in headers)
        header = BatchHeader(
            batch_id=self._new_id(),
            shard=self._input.shard,
            reason=reason,
            submissions=headers,
            attempt=self._health.failures + 1,
            rows_per_statement=self._health.rows_per_statement(records),
        )
        batch = Batch(header, submissions)
        self._in_flight.append(batch)
        return batch

    async def _write(self, batch: Batch) -> None:
        started = workflow.time()
        try:
            result = await workflow.execute_activity_method(
                WriteActivities.write_batch,
                args=[batch.header, batch.records],
                start_to_close_timeout=timedelta(seconds=60),
                heartbeat_timeout=timedelta(seconds=10),
                # The workflow cannot see attempts that the server makes; it makes them itself.
                retry_policy=RetryPolicy(maximum_attempts=1),
                summary=f"{sum(header.records for header in batch.header.submissions)} records",
            )
        except ActivityError as error:
            self._buffer.give_back(batch.submissions)
            self._note_failure(batch, error)
        else:
            self._buffer.settle(batch.submissions)
            self._totals.add(batch.header.reason, result)
            self._health.wrote(workflow.time(), all_refused=result.all_refused)
            size = sum(submission.size for submission in batch.submissions)
            seconds = (workflow.time() - started) / self._input.settings.max_in_flight
            self._admission.wrote(size, seconds)
        finally:
            self._in_flight.remove(batch)
        workflow.set_current_details(self._health.last_error)

    def _note_failure(self, batch: Batch, error: ActivityError) -> None:
        cause = error.cause
        message, sqlstate = str(cause), None
        if isinstance(cause, ApplicationError):
            message, sqlstate = cause.message, next(iter(cause.details), None)
        self._health.failed(message, sqlstate, workflow.time())
        workflow.logger.warning(
            "batch %s not written, and kept: %s", batch.header.batch_id, self._health.last_error
        )

    async def _answer_busy(self) -> None:
        """Tell those who were turned away, as many as fit well into one activity."""
        answers = busy_answers(self._turned_away[:ANSWERED_AT_ONCE])
        self._turned_away = self._turned_away[ANSWERED_AT_ONCE:]
        self._is_answering = True
        with suppress(ActivityError):  # whoever is not told comes back by itself
            await workflow.execute_activity_method(
                WriteActivities.answer_busy,
                answers,
                start_to_close_timeout=timedelta(seconds=60),
                retry_policy=RetryPolicy(maximum_attempts=1),
                summary=f"{len(answers)} requesters",
            )
        self._is_answering = False

    def _should_continue_as_new(self) -> bool:
        return self._signals >= MAX_SIGNALS or workflow.info().is_continue_as_new_suggested()

    def _may_continue_as_new(self) -> bool:
        """Tell if this run may end: nothing runs, or its history has become too long to wait."""
        length = workflow.info().get_current_history_length()
        if self._signals >= HARD_SIGNALS or length >= HARD_EVENTS:
            return True
        is_idle = not (self._in_flight or self._is_answering or self._turned_away)
        return is_idle and self._should_continue_as_new()

    def _carry(self) -> bytes:
        """Leave everything that is not answered to the next run, oldest first."""
        for batch in self._in_flight:
            self._buffer.give_back(batch.submissions)
        waiting = list(self._buffer)
        carried = Carried(
            submissions=[submission.header for submission in waiting],
            received_at=[submission.received_at for submission in waiting],
            line=self._admission.line(),
            bytes_per_second=self._admission.rate,
            totals=self._totals,
            health=self._health,
        )
        return pack_carried(carried, waiting)


def _unfinished(tasks: Sequence[asyncio.Task[None]]) -> list[asyncio.Task[None]]:
    """Drop tasks that have ended; a mistake in one must fail the workflow task, not vanish."""
    for task in tasks:
        if task.done():
            task.result()
    return [task for task in tasks if not task.done()]
