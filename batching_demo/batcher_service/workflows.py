"""The batcher: collects submissions and has them written, one bulk INSERT a batch, for ever."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from batching_demo.batcher_service.activities import WriteActivities
    from batching_demo.batcher_service.buffer import Buffer, Submission
    from batching_demo.batcher_service.messages import (
        BatcherStatus,
        BatchHeader,
        Carried,
        pack_carried,
        unpack_carried,
    )
    from batching_demo.batcher_service.submit import MalformedSubmitError, read_submit
    from batching_demo.contracts import SUBMIT_SIGNAL, BatcherInput

MAX_SIGNALS = 2_000
"""The server refuses the 10,000th signal of a run, and its hint does not count them."""
HARD_SIGNALS = 5_000
HARD_EVENTS = 8_000
"""Beyond either, a run does not wait for its writes: the next run repeats them."""
LONGEST_RETRY_SECONDS = 60


@dataclass(frozen=True)
class Batch:
    """Submissions on their way to Postgres."""

    batch_id: str
    reason: str
    submissions: Sequence[Submission]
    attempt: int


@workflow.defn(name="BatcherWorkflow")
class BatcherWorkflow:
    """One shard. State is built before the first signal is handled, and never after."""

    @workflow.init
    def __init__(self, batcher_input: BatcherInput, carried: bytes) -> None:
        self._input = batcher_input
        left, submissions = unpack_carried(carried)
        self._buffer = Buffer(batcher_input.settings, submissions)
        self._in_flight: list[Batch] = []
        self._totals = left.totals
        self._failures = left.consecutive_failures
        self._last_error = left.last_error
        self._retry_at = 0.0
        self._signals = 0

    @workflow.run
    async def run(self, batcher_input: BatcherInput, carried: bytes) -> None:
        """Write whatever is due until the history is long, then go on in a new run."""
        writes: list[asyncio.Task[None]] = []
        while not self._should_continue_as_new():
            await self._wait_for_work()
            writes = [write for write in writes if not write.done()]
            while batch := self._next_batch():
                writes.append(asyncio.create_task(self._write(batch)))
        await workflow.wait_condition(lambda: not self._in_flight or self._must_continue_as_new())
        workflow.continue_as_new(args=[batcher_input, self._carry()])

    @workflow.signal(name=SUBMIT_SIGNAL)
    def submit(self, *arguments: Any) -> None:
        """Buffer submissions. Any arguments are accepted: the SDK drops what it cannot convert."""
        self._signals += 1
        try:
            submissions = read_submit(arguments, workflow.time())
        except MalformedSubmitError as error:
            workflow.logger.warning("malformed submit signal: %s", error)
            return
        for submission in submissions:
            self._buffer.add(submission)

    @workflow.query
    def status(self) -> BatcherStatus:
        """Say what waits, what is being written and what has been done."""
        return BatcherStatus(
            shard=self._input.shard,
            buffered_records=self._buffer.records,
            buffered_bytes=self._buffer.bytes,
            in_flight=len(self._in_flight),
            consecutive_failures=self._failures,
            last_error=self._last_error,
            totals=self._totals,
        )

    async def _wait_for_work(self) -> None:
        """Wait until a batch may be taken; a timer runs only while something waits."""
        wake_at = self._wake_at()
        timeout = None if wake_at is None else max(0.0, wake_at - workflow.time())
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: (
                    self._is_due() or self._should_continue_as_new() or self._wake_at() != wake_at
                ),
                timeout=timeout,
                timeout_summary="linger" if self._failures == 0 else "retry",
            )

    def _wake_at(self) -> float | None:
        """Tell when time alone makes a batch due."""
        due_at = self._buffer.due_at()
        if due_at is None or not self._may_write():
            return None
        return max(due_at, self._retry_at)

    def _may_write(self) -> bool:
        """Tell if another write may start; while the database fails, one at a time probes it."""
        at_most = 1 if self._failures else self._input.settings.max_in_flight
        return len(self._in_flight) < at_most

    def _is_due(self) -> bool:
        now = workflow.time()
        return self._may_write() and self._retry_at <= now and self._buffer.is_due(now) is not None

    def _next_batch(self) -> Batch | None:
        reason = self._buffer.is_due(workflow.time())
        if reason is None or not self._is_due():
            return None
        submissions = self._buffer.take()
        batch = Batch(str(workflow.uuid4()), reason, submissions, self._failures + 1)
        self._in_flight.append(batch)
        return batch

    async def _write(self, batch: Batch) -> None:
        header = BatchHeader(
            batch_id=batch.batch_id,
            shard=self._input.shard,
            reason=batch.reason,
            submissions=[submission.header for submission in batch.submissions],
            attempt=batch.attempt,
        )
        try:
            result = await workflow.execute_activity_method(
                WriteActivities.write_batch,
                args=[header, b"".join(submission.records for submission in batch.submissions)],
                start_to_close_timeout=timedelta(seconds=60),
                heartbeat_timeout=timedelta(seconds=10),
                # The workflow cannot see attempts that the server makes; it makes them itself.
                retry_policy=RetryPolicy(maximum_attempts=1),
                summary=f"{sum(header.records for header in header.submissions)} records",
            )
        except ActivityError as error:
            self._failed(batch, error)
        else:
            self._failures, self._retry_at = 0, 0.0
            self._totals.add(batch.reason, result)
            self._buffer.settle(batch.submissions)
        self._in_flight.remove(batch)

    def _failed(self, batch: Batch, error: ActivityError) -> None:
        """Keep the batch for another attempt after 1, 2, 4 ... 60 s."""
        self._buffer.give_back(list(batch.submissions))
        self._retry_at = workflow.time() + min(2.0**self._failures, LONGEST_RETRY_SECONDS)
        self._failures += 1
        cause = error.cause
        self._last_error = cause.message if isinstance(cause, ApplicationError) else str(cause)
        workflow.logger.warning("batch %s not written: %s", batch.batch_id, self._last_error)

    def _should_continue_as_new(self) -> bool:
        return self._signals >= MAX_SIGNALS or workflow.info().is_continue_as_new_suggested()

    def _must_continue_as_new(self) -> bool:
        length = workflow.info().get_current_history_length()
        return self._signals >= HARD_SIGNALS or length >= HARD_EVENTS

    def _carry(self) -> bytes:
        """Leave everything that is not answered to the next run, oldest first."""
        for batch in reversed(self._in_flight):
            self._buffer.give_back(list(batch.submissions))
        waiting = list(self._buffer)
        carried = Carried(
            submissions=[submission.header for submission in waiting],
            received_at=[submission.received_at for submission in waiting],
            totals=self._totals,
            consecutive_failures=self._failures,
            last_error=self._last_error,
        )
        return pack_carried(carried, waiting)
