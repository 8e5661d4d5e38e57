"""The writes of a batcher: which batch goes when, and what becomes of one that fails."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from batching_demo.batcher_service.activities import WriteActivities
    from batching_demo.batcher_service.messages import BatchHeader, BatchResult, Totals
    from batching_demo.batcher_service.metrics import BatcherMetrics
    from batching_demo.core.admission import Admission
    from batching_demo.core.buffer import Buffer, FlushReason, Submission
    from batching_demo.core.control import Control
    from batching_demo.core.health import Health


@dataclass(frozen=True)
class Batch:
    """Submissions on their way to Postgres."""

    header: BatchHeader
    submissions: Sequence[Submission]

    @property
    def count(self) -> int:
        """How many records it has."""
        return sum(header.records for header in self.header.submissions)

    @property
    def records(self) -> bytes:
        """The records of all its submissions, joined."""
        return b"".join(submission.records for submission in self.submissions)


@dataclass
class Writer:
    """Takes batches out of the buffer, has them written, and gives back what was not."""

    shard: int
    max_in_flight: int
    buffer: Buffer
    control: Control
    admission: Admission
    health: Health
    totals: Totals
    metrics: BatcherMetrics
    in_flight: list[Batch] = field(default_factory=list)

    def due(self) -> FlushReason | None:
        """Tell why a write should start now, if one should and may."""
        now = workflow.time()
        may = self._has_room() and self.health.retry_at <= now
        return self.control.due(self.buffer, now) if may else None

    def wake_at(self) -> float | None:
        """Tell when time alone lets a batch be written."""
        due_at = self.control.due_at(self.buffer)
        if due_at is None or not self._has_room():
            return None
        if self.control.due(self.buffer, workflow.time()):
            return self.health.retry_at
        return max(due_at, self.health.retry_at)

    def start(self, reason: FlushReason) -> asyncio.Task[None]:
        """Take the next batch out and start its write."""
        submissions = self.buffer.take()
        headers = [submission.header for submission in submissions]
        records = sum(header.records for header in headers)
        header = BatchHeader(
            batch_id=str(workflow.uuid4()),
            shard=self.shard,
            reason=reason,
            submissions=headers,
            attempt=self.health.failures + 1,
            oldest_at=submissions[0].received_at,
            rows_per_statement=self.health.rows_per_statement(records),
        )
        batch = Batch(header, submissions)
        self.in_flight.append(batch)
        self.show_buffer()
        return asyncio.create_task(self._write(batch))

    def give_all_back(self) -> None:
        """Put what is in flight back into the buffer, for another run to write it again."""
        for batch in self.in_flight:
            self.buffer.give_back(batch.submissions)

    def _has_room(self) -> bool:
        """Tell if another write may start; while the database fails, one at a time probes it."""
        at_most = 1 if self.health.is_failing else self.max_in_flight
        return len(self.in_flight) < at_most

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
                summary=f"{batch.count} records",
            )
        except ActivityError as error:
            self.buffer.give_back(batch.submissions)
            self._note_failure(batch, error)
        else:
            self.buffer.settle(batch.submissions)
            self._note_result(batch, result, workflow.time() - started)
        finally:
            self.in_flight.remove(batch)
        self.show()

    def _note_result(self, batch: Batch, result: BatchResult, seconds: float) -> None:
        self.totals.add(batch.header.reason, result)
        self.health.wrote(workflow.time(), all_refused=result.all_refused)
        size = sum(submission.size for submission in batch.submissions)
        self.admission.wrote(size, seconds / self.max_in_flight)

    def _note_failure(self, batch: Batch, error: ActivityError) -> None:
        cause = error.cause
        message, sqlstate = str(cause), None
        if isinstance(cause, ApplicationError):
            message, sqlstate = cause.message, next(iter(cause.details), None)
        self.health.failed(message, sqlstate, workflow.time())
        workflow.logger.warning(
            "batch %s not written, and kept: %s", batch.header.batch_id, self.health.last_error
        )

    def show(self) -> None:
        """Show how things are in Temporal's Web UI; costs nothing in the history."""
        said = (str(self.control.mode), self.totals.describe(), self.health.last_error)
        workflow.set_current_details("; ".join(part for part in said if part))
        self.show_buffer()

    def show_buffer(self) -> None:
        """Show what waits in the metrics."""
        self.metrics.show(self.buffer, workflow.time())
