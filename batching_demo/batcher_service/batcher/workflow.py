"""The batcher: a workflow that buffers submissions and has them written in batches, for ever."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ActivityError
from temporalio.workflow import ContinueAsNewVersioningBehavior

with workflow.unsafe.imports_passed_through():
    from batching_demo.batcher_service.batcher.buffer_metrics import BufferMetrics
    from batching_demo.batcher_service.batcher.carried import pack_state, unpack_state
    from batching_demo.batcher_service.batcher.run_length import RunLength
    from batching_demo.batcher_service.batcher.signals import read_signal
    from batching_demo.batcher_service.batcher.status import status_of
    from batching_demo.batcher_service.batcher.write_failure import read_failure
    from batching_demo.contracts.batches import ANSWER_BUSY, WRITE_BATCH, BatchResult
    from batching_demo.contracts.counts import count
    from batching_demo.contracts.messages import Submission
    from batching_demo.contracts.names import BATCHER_WORKFLOW, WAKE_SIGNAL
    from batching_demo.contracts.operations import (
        SETTINGS_MEMO,
        BatcherInput,
        BatcherStatus,
        Changes,
        Done,
        Flush,
        Mode,
    )
    from batching_demo.contracts.sizes_before import (
        BYTES_THAT_TRAVEL,
        HEADERS_HAVE_TARGETS,
        counted_before,
        counted_before_targets,
    )
    from batching_demo.core.entrance import Entrance
    from batching_demo.core.flusher import Batch

RETRY_WHILE_FAILING_SECONDS = 60.0
"""The least retry_after while the database fails. It may not be tried again sooner."""
LONGEST_ACTIVITY = timedelta(seconds=60)
HEARTBEAT_TIMEOUT = timedelta(seconds=10)
# Workflow code cannot see the attempts that the server makes, so it makes further ones itself.
ONE_ATTEMPT = RetryPolicy(maximum_attempts=1)


@workflow.defn(name=BATCHER_WORKFLOW)
class BatcherWorkflow:
    """The batcher of one shard."""

    # In `run` it would be too late: signals that come with the start are handled before it.
    @workflow.init
    def __init__(self, batcher_input: BatcherInput, carried: bytes) -> None:
        self._shard = batcher_input.shard
        self._counts_bytes = workflow.patched(BYTES_THAT_TRAVEL)
        self._counts_targets = workflow.patched(HEADERS_HAVE_TARGETS)
        self._state = unpack_state(batcher_input, carried, self._counted)
        self._flusher = self._state.flusher
        self._buffer = self._flusher.buffer
        self._control, self._health = self._flusher.control, self._flusher.health
        self._totals = self._state.totals
        self._entrance = Entrance(
            self._buffer, self._state.admission, counts_bytes=self._counts_bytes
        )
        self._metrics = BufferMetrics(workflow.metric_meter(), self._shard)
        self._length = RunLength()
        self._is_answering = False

    @workflow.run
    async def run(self, batcher_input: BatcherInput, carried: bytes) -> None:
        """Have batches written when they are due, until this run's history is long.

        Then it continues as new. It returns only if the batcher is stopped.

        Args:
            batcher_input: The shard and the settings.
            carried: The packed state of the run before; empty in the first run.
        """
        self._show()
        if self._state.continued_by:
            self._metrics.continued_as_new(self._state.continued_by)
        tasks: list[asyncio.Task[None]] = []
        while not self._is_over():
            await self._wait_for_work()
            tasks = _unfinished(tasks)
            if self._has_answer:
                tasks.append(asyncio.create_task(self._answer_busy()))
            while batch := self._next_batch():
                tasks.append(asyncio.create_task(self._write(batch)))
        if not self._is_stopped():
            settings, cause = self._buffer.settings, self._length.cause(is_idle=self._is_idle)
            workflow.continue_as_new(
                args=[BatcherInput(self._shard, settings), pack_state(self._state, cause)],
                # Unless it is named, the next run gets the memo that the first was started with.
                memo={SETTINGS_MEMO: asdict(settings)},
                # Pinned like this run, but to the version that is current by then.
                initial_versioning_behavior=ContinueAsNewVersioningBehavior.AUTO_UPGRADE,
            )

    @workflow.signal(dynamic=True)
    def submit(self, name: str, arguments: Sequence[RawValue]) -> None:
        """Buffer the submissions of any signal.

        The arguments are taken undecoded, since the SDK drops a signal that it cannot decode.
        """
        self._length.signals += 1
        if name == WAKE_SIGNAL:
            return
        now = workflow.time()
        submissions = read_signal(
            name,
            [argument.payload for argument in arguments],
            workflow.payload_converter(),
            now,
            lambda: str(workflow.uuid4()),
        )
        failing = RETRY_WHILE_FAILING_SECONDS if self._health.is_failing else 0.0
        retry_after = max(failing, self._control.retry_after(now))
        is_closed = self._control.is_closed
        for submission in map(self._counted, submissions):
            is_in = self._entrance.admit(
                submission, now, is_closed=is_closed, retry_after=retry_after
            )
            self._totals.turned_away += not is_in
        self._show_buffer()

    def _counted(self, submission: Submission) -> Submission:
        """Return a submission that counts its size as this run does."""
        if self._counts_targets:
            return submission
        before = counted_before_targets if self._counts_bytes else counted_before
        return before(submission)

    @workflow.query
    def status(self) -> BatcherStatus:
        """Return what waits, what is in flight, and what has been done."""
        return status_of(self._shard, self._state)

    @workflow.update
    def flush(self) -> Done:
        """Flush what waits now, whether or not a batch is due."""
        records = self._buffer.records
        self._control.flush(workflow.time())
        return self._tried(
            f"flushing {count(records, 'record')}" if records else None, "nothing waits"
        )

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
        """Answer all submissions busy, and flush all that waits."""
        did = self._control.drain(workflow.time())
        return self._tried(did, f"already {self._control.mode}")

    @workflow.update
    def stop(self) -> Done:
        """Drain, then end the workflow."""
        return self._tried(self._control.stop(workflow.time()), "already stopping")

    @workflow.update
    def configure(self, changes: Changes) -> Done:
        """Change settings from the next batch on, in later runs too."""
        did = ", ".join(self._flusher.configure(changes))
        if did:
            workflow.upsert_memo({SETTINGS_MEMO: asdict(self._buffer.settings)})
        return self._did(did, "already has these settings")

    @configure.validator
    def _check_configure(self, changes: Changes) -> None:
        self._flusher.check(changes)

    def _did(self, did: str | None, otherwise: str) -> Done:
        """Return what was done, or the other text if it is nothing."""
        self._show()
        return Done(did or otherwise, changed=bool(did))

    def _tried(self, did: str | None, otherwise: str) -> Done:
        """Return what was done, and have a failing database tried at once.

        The operator who asks may just have mended it.
        """
        self._health.retry_now()
        done = self._did(did, otherwise)
        if not self._health.is_failing:
            return done
        failing = f"the database fails, and is tried again now: {self._health.last_error}"
        return replace(done, message=f"{done.message}; {failing}")

    async def _wait_for_work(self) -> None:
        """Wait until there is something to do. No timer runs while nothing waits."""
        wake_at = self._wake_at()
        timeout = None if wake_at is None else max(0.0, wake_at - workflow.time())
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._has_work or self._wake_at() != wake_at,
                timeout=timeout,
                timeout_summary="retry" if self._health.is_failing else "linger",
            )

    @property
    def _has_work(self) -> bool:
        """Whether `run` has something to do."""
        has_write = not self._length.should_end and self._flusher.due(workflow.time()) is not None
        return has_write or self._has_answer or self._is_over()

    @property
    def _has_answer(self) -> bool:
        """Whether a busy answer waits, and no activity is sending others."""
        return self._entrance.has_turned_away and not self._is_answering

    def _wake_at(self) -> float | None:
        """Return when to wake up if nothing else happens; None if never."""
        return None if self._length.should_end else self._flusher.wake_at(workflow.time())

    def _next_batch(self) -> Batch | None:
        """Return the next batch, in flight; None if none is due, or if this run should end."""
        now = workflow.time()
        reason = None if self._length.should_end else self._flusher.due(now)
        if reason is None:
            return None
        batch = self._flusher.take(str(workflow.uuid4()), reason, now)
        self._show_buffer()
        return batch

    async def _write(self, batch: Batch) -> None:
        """Have a batch written, and note how that ended."""
        started = workflow.time()
        try:
            result = await workflow.execute_activity(
                WRITE_BATCH,
                args=[batch.header, batch.records],
                result_type=BatchResult,
                start_to_close_timeout=LONGEST_ACTIVITY,
                heartbeat_timeout=HEARTBEAT_TIMEOUT,
                retry_policy=ONE_ATTEMPT,
                summary=count(batch.header.records, "record"),
            )
        except ActivityError as error:
            message, sqlstate, decided = read_failure(error)
            now = workflow.time()
            self._flusher.failed(batch, message, sqlstate, now, decided=decided.places)
            if decided.places:
                self._totals.add_verdicts(decided.result)
            workflow.logger.warning(
                "batch %s not written, and kept: %s", batch.header.batch_id, self._health.last_error
            )
        else:
            now = workflow.time()
            header, size, seconds = batch.header, batch.size, now - started
            self._totals.add(Flush(header.reason, header.records, size, now, seconds), result)
            self._flusher.wrote(batch, now, all_refused=result.all_refused)
            # That many writes share the time.
            self._state.admission.wrote(size, seconds / self._buffer.settings.max_in_flight)
        self._show()

    async def _answer_busy(self) -> None:
        """Have requesters told which submissions to send again later."""
        answers = self._entrance.busy_answers()
        self._is_answering = True
        with suppress(ActivityError):  # a requester that is not told submits again by itself
            await workflow.execute_activity(
                ANSWER_BUSY,
                args=[answers, self._shard],
                start_to_close_timeout=LONGEST_ACTIVITY,
                retry_policy=ONE_ATTEMPT,
                summary=count(len(answers), "requester"),
            )
        self._is_answering = False

    def _is_over(self) -> bool:
        """Return whether this run may end.

        It may if the batcher is stopped, or if the history is long and nothing is unfinished. If
        the history is too long to wait for that, it may end at once.
        """
        may_continue = self._length.must_end or (self._is_idle and self._length.should_end)
        return may_continue or self._is_stopped()

    def _is_stopped(self) -> bool:
        """Return whether the batcher is stopped and all submissions are answered.

        A signal that comes while this run ends is not lost: the server then refuses the end, and
        the workflow handles the signal first.
        """
        is_stopping = self._control.mode is Mode.STOPPING
        return is_stopping and self._is_idle and not len(self._buffer)

    @property
    def _is_idle(self) -> bool:
        """Whether no write is in flight and no busy answer waits. The buffer may have records."""
        return not (self._flusher.in_flight or self._is_answering or self._entrance.has_turned_away)

    def _show(self) -> None:
        """Show mode, totals and error in the Web UI, and the buffer in metrics.

        This adds no events to the history.
        """
        parts = (str(self._control.mode), self._totals.describe(), self._health.last_error)
        workflow.set_current_details("; ".join(part for part in parts if part))
        self._show_buffer()

    def _show_buffer(self) -> None:
        """Show the buffer in metrics."""
        buffer, now = self._buffer, workflow.time()
        linger = buffer.settings.linger_seconds
        self._metrics.show(buffer.records, buffer.bytes, buffer.oldest_at, linger, now)


def _unfinished(tasks: Sequence[asyncio.Task[None]]) -> list[asyncio.Task[None]]:
    """Return the tasks that still run, and raise the error of one that has failed."""
    # A mistake in the code must fail the workflow task. Otherwise it would vanish with the task.
    for task in tasks:
        if task.done():
            task.result()
    return [task for task in tasks if not task.done()]
