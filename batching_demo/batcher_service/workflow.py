"""The batcher: collects submissions and has them written, one bulk INSERT a batch, for ever."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from batching_demo.batcher_service.activities import WriteActivities
    from batching_demo.batcher_service.messages import (
        SETTINGS_MEMO,
        BatcherStatus,
        Carried,
        Done,
        pack_carried,
        unpack_carried,
    )
    from batching_demo.batcher_service.metrics import BatcherMetrics, Cause
    from batching_demo.batcher_service.signals import read_signal
    from batching_demo.batcher_service.writer import Writer
    from batching_demo.contracts.messages import BatcherInput
    from batching_demo.core.admission import Admission
    from batching_demo.core.buffer import Buffer
    from batching_demo.core.control import (
        Changes,
        Mode,
        apply_changes,
        describe_changes,
    )
    from batching_demo.core.intake import Intake

MAX_SIGNALS = 2_000
"""The server refuses the 10,000th signal of a run, and its hint does not count them."""
HARD_SIGNALS = 5_000
HARD_EVENTS = 8_000
"""Beyond either, a run does not wait for its writes: the next run repeats them."""
RETRY_WHILE_FAILING_SECONDS = 60.0


@workflow.defn(name="BatcherWorkflow")
class BatcherWorkflow:
    """One shard. State is built before the first signal is handled, and never after."""

    @workflow.init
    def __init__(self, batcher_input: BatcherInput, carried: bytes) -> None:
        self._shard, self._settings = batcher_input.shard, batcher_input.settings
        left, submissions = unpack_carried(carried)
        self._control, self._health, self._totals = left.control, left.health, left.totals
        self._continued_by = left.continued_by
        self._buffer = Buffer(self._settings, submissions)
        self._admission = Admission(left.line, left.bytes_per_second)
        self._intake = Intake(self._buffer, self._admission)
        self._metrics = BatcherMetrics(workflow.metric_meter(), self._shard)
        self._writer = Writer(
            self._shard,
            self._settings.max_in_flight,
            self._buffer,
            self._control,
            self._admission,
            self._health,
            self._totals,
            self._metrics,
        )
        self._is_answering = False
        self._signals = 0

    @workflow.run
    async def run(self, batcher_input: BatcherInput, carried: bytes) -> None:
        """Write what is due until the history is long, then go on in a new run; end if stopped."""
        self._writer.show()
        if self._continued_by:
            self._metrics.continued_as_new(self._continued_by)
        tasks: list[asyncio.Task[None]] = []
        while not self._is_over():
            await self._wait_for_work()
            tasks = _unfinished(tasks)
            if self._intake.has_turned_away and not self._is_answering:
                tasks.append(asyncio.create_task(self._answer_busy()))
            while not self._should_continue_as_new() and (reason := self._writer.due()):
                tasks.append(self._writer.start(reason))
        if not self._is_stopped():
            workflow.continue_as_new(
                args=[replace(batcher_input, settings=self._settings), self._carry()],
                # Unless it is named, the next run gets the memo that the first was started with.
                memo={SETTINGS_MEMO: asdict(self._settings)},
            )

    @workflow.signal(dynamic=True)
    def submit(self, name: str, arguments: Sequence[RawValue]) -> None:
        """Buffer submissions. Whatever comes is taken raw: the SDK drops what it cannot decode."""
        self._signals += 1
        now = workflow.time()
        submissions = read_signal(
            name,
            [argument.payload for argument in arguments],
            workflow.payload_converter(),
            now,
            lambda: str(workflow.uuid4()),
        )
        failing = RETRY_WHILE_FAILING_SECONDS if self._health.is_failing else 0.0
        at_least = max(failing, self._control.patience(now))
        is_closed = self._control.is_closed
        for submission in submissions:
            is_in = self._intake.take(submission, now, is_closed=is_closed, at_least=at_least)
            self._totals.turned_away += not is_in
        self._writer.show_buffer()

    @workflow.query
    def status(self) -> BatcherStatus:
        """Say what waits, what is being written and what has been done."""
        return BatcherStatus(
            shard=self._shard,
            mode=self._control.mode,
            mode_since=self._control.since,
            settings=self._settings,
            buffered_records=self._buffer.records,
            buffered_bytes=self._buffer.bytes,
            oldest_at=self._buffer.oldest_at,
            in_flight=len(self._writer.in_flight),
            in_flight_records=sum(batch.count for batch in self._writer.in_flight),
            in_line=len(self._admission),
            consecutive_failures=self._health.failures,
            last_error=self._health.last_error,
            totals=self._totals,
        )

    @workflow.update
    def flush(self) -> Done:
        """Flush what waits now, full batch or not; while the database fails, try at once."""
        records = self._buffer.records
        self._control.flush(workflow.time())
        return self._tried(f"flushing {records} records" if records else None, "nothing waits")

    @flush.validator
    def _check_flush(self) -> None:
        self._control.check_flush()

    @workflow.update
    def pause(self) -> Done:
        """Stop flushing; submissions are taken while there is room."""
        return self._did(self._control.pause(workflow.time()), "already paused")

    @pause.validator
    def _check_pause(self) -> None:
        self._control.check_pause()

    @workflow.update
    def resume(self) -> Done:
        """Take submissions and flush as usual, after a pause, a drain or an unfinished stop."""
        return self._tried(self._control.resume(workflow.time()), "already open")

    @workflow.update
    def drain(self) -> Done:
        """Answer submissions busy and flush all that waits."""
        did = self._control.drain(workflow.time())
        return self._tried(did, f"already {self._control.mode}")

    @workflow.update
    def stop(self) -> Done:
        """Drain, then end."""
        return self._tried(self._control.stop(workflow.time()), "already stopping")

    @workflow.update
    def configure(self, changes: Changes) -> Done:
        """Change settings; they hold from the next batch on, in later runs too."""
        old, self._settings = self._settings, apply_changes(self._settings, changes)
        self._buffer.configure(self._settings)
        if old != self._settings:
            workflow.upsert_memo({SETTINGS_MEMO: asdict(self._settings)})
        did = ", ".join(describe_changes(old, self._settings))
        return self._did(did, "already has these settings")

    @configure.validator
    def _check_configure(self, changes: Changes) -> None:
        apply_changes(self._settings, changes)

    def _did(self, did: str | None, otherwise: str) -> Done:
        self._writer.show()
        return Done(did or otherwise, changed=bool(did))

    def _tried(self, did: str | None, otherwise: str) -> Done:
        """Have a failing database tried at once: whoever asks may have mended it."""
        self._health.retry_now()
        done = self._did(did, otherwise)
        if not self._health.is_failing:
            return done
        failing = f"the database fails, and is tried again now: {self._health.last_error}"
        return replace(done, message=f"{done.message}; {failing}")

    async def _wait_for_work(self) -> None:
        """Wait until there is something to do; a timer runs only while something waits."""
        wake_at = self._wake_at()
        timeout = None if wake_at is None else max(0.0, wake_at - workflow.time())
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._has_work() or self._wake_at() != wake_at,
                timeout=timeout,
                timeout_summary="retry" if self._health.is_failing else "linger",
            )

    def _has_work(self) -> bool:
        has_write = not self._should_continue_as_new() and self._writer.due() is not None
        has_answer = self._intake.has_turned_away and not self._is_answering
        return has_write or has_answer or self._is_over()

    def _wake_at(self) -> float | None:
        return None if self._should_continue_as_new() else self._writer.wake_at()

    async def _answer_busy(self) -> None:
        """Tell those who were turned away."""
        answers = self._intake.busy_answers()
        self._is_answering = True
        with suppress(ActivityError):  # whoever is not told comes back by itself
            await workflow.execute_activity_method(
                WriteActivities.answer_busy,
                args=[answers, self._shard],
                start_to_close_timeout=timedelta(seconds=60),
                retry_policy=RetryPolicy(maximum_attempts=1),
                summary=f"{len(answers)} requesters",
            )
        self._is_answering = False

    def _is_over(self) -> bool:
        return self._is_stopped() or self._may_continue_as_new()

    def _is_stopped(self) -> bool:
        """Tell if it was stopped and everybody has been answered.

        A signal that comes while this run ends is not lost: the server then refuses the end, and
        the workflow sees the signal first.
        """
        return self._control.mode is Mode.STOPPING and self._is_idle() and not len(self._buffer)

    def _should_continue_as_new(self) -> bool:
        return self._signals >= MAX_SIGNALS or workflow.info().is_continue_as_new_suggested()

    def _may_continue_as_new(self) -> bool:
        """Tell if this run may end: nothing runs, or its history has become too long to wait."""
        length = workflow.info().get_current_history_length()
        if self._signals >= HARD_SIGNALS or length >= HARD_EVENTS:
            return True
        return self._is_idle() and self._should_continue_as_new()

    def _cause(self) -> Cause:
        """Tell why this run ends."""
        if not self._is_idle():
            return Cause.FORCED
        return Cause.SIGNALS if self._signals >= MAX_SIGNALS else Cause.HISTORY

    def _is_idle(self) -> bool:
        return not (self._writer.in_flight or self._is_answering or self._intake.has_turned_away)

    def _carry(self) -> bytes:
        """Leave everything that is not answered to the next run, oldest first."""
        self._writer.give_all_back()
        waiting = list(self._buffer)
        carried = Carried(
            submissions=[submission.header for submission in waiting],
            received_at=[submission.received_at for submission in waiting],
            line=self._admission.line(),
            bytes_per_second=self._admission.rate,
            totals=self._totals,
            health=self._health,
            control=self._control,
            continued_by=self._cause(),
        )
        return pack_carried(carried, waiting)


def _unfinished(tasks: Sequence[asyncio.Task[None]]) -> list[asyncio.Task[None]]:
    """Drop tasks that have ended; a mistake in one must fail the workflow task, not vanish."""
    for task in tasks:
        if task.done():
            task.result()
    return [task for task in tasks if not task.done()]
