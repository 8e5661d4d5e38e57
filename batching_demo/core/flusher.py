"""The flush policy: which batch is written next, when, and what its end changes.

A batcher workflow and the coalescer of a worker ask the same policy. Each brings its own clock and
starts the writes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from batching_demo.contracts.batches import BatchHeader
from batching_demo.contracts.encoding import join
from batching_demo.contracts.messages import Submission
from batching_demo.contracts.operations import BatcherSettings, Changes
from batching_demo.core.buffer import Buffer, FlushReason
from batching_demo.core.control import Control, apply_changes, describe_changes
from batching_demo.core.health import Health


@dataclass(frozen=True, eq=False)
class Batch:
    """Submissions that are written together."""

    header: BatchHeader
    submissions: list[Submission]

    @property
    def records(self) -> bytes:
        """The records of all its submissions, joined."""
        return join(self.submissions)[1]

    @property
    def size(self) -> int:
        """Bytes that it took in the buffer."""
        return sum(submission.size for submission in self.submissions)


@dataclass
class FlusherState:
    """What is known besides the buffer. A batcher carries it from run to run."""

    control: Control = field(default_factory=Control)
    """What an operator has asked for."""
    health: Health = field(default_factory=Health)
    """What is known of earlier writes."""


class Flusher:
    """Decides when the next batch of a buffer is written.

    Args:
        settings: When a batch is due, and how many writes are in flight at a time.
        shard: Of the batcher that asks; None where no batcher is involved.
        state: What an earlier run knew.
    """

    def __init__(
        self,
        settings: BatcherSettings,
        shard: int | None = None,
        state: FlusherState | None = None,
    ) -> None:
        self.shard = shard
        self.buffer = Buffer(settings)
        self.state = state or FlusherState()
        self.control, self.health = self.state.control, self.state.health
        self.in_flight: list[Batch] = []

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing is being written."""
        return not self.in_flight and not len(self.buffer)

    def configure(self, changes: Changes) -> list[str]:
        """Change the settings from the next batch on, and return what has changed.

        Raises:
            ControlRefusedError: No batcher can work with a value.
        """
        old = self.buffer.settings
        self.buffer.settings = apply_changes(old, changes)
        return list(describe_changes(old, self.buffer.settings))

    def check(self, changes: Changes) -> None:
        """Check that `configure` would take the changes.

        Raises:
            ControlRefusedError: No batcher can work with a value.
        """
        apply_changes(self.buffer.settings, changes)

    def due(self, now: float) -> FlushReason | None:
        """Return why a write should start now, if one should and may."""
        if self._is_busy or self.health.retry_at > now:
            return None
        return self._reason(now)

    def wake_at(self, now: float) -> float | None:
        """Return when time alone makes a write start; None if only an event can."""
        due_at = self.buffer.due_at()
        if due_at is None or self._is_busy or self.control.is_paused:
            return None
        if self._reason(now):
            return self.health.retry_at
        return max(due_at, self.health.retry_at)

    def take(self, batch_id: str, reason: FlushReason) -> Batch:
        """Take the next batch out of the buffer and count it as in flight."""
        submissions = self.buffer.take()
        headers = [submission.header for submission in submissions]
        records = sum(header.records for header in headers)
        header = BatchHeader(
            batch_id=batch_id,
            reason=reason,
            submissions=headers,
            shard=self.shard,
            attempt=max(map(self.buffer.attempt, submissions)),
            rows_per_statement=self.health.rows_per_statement(records),
            oldest_at=min(submission.received_at for submission in submissions),
        )
        batch = Batch(header, submissions)
        self.in_flight.append(batch)
        return batch

    def wrote(self, batch: Batch, now: float, *, all_refused: bool) -> None:
        """Forget a batch that was written and answered.

        Args:
            batch: From `take`.
            now: Seconds since the epoch.
            all_refused: Whether Postgres refused every record of it.
        """
        self.in_flight.remove(batch)
        self.buffer.ack(batch.submissions)
        self.health.wrote(now, all_refused=all_refused)

    def failed(
        self, batch: Batch, error: str, sqlstate: str | None, now: float, *, requeue: bool = True
    ) -> None:
        """Put a batch that was not written back, and hold further writes for a while.

        Args:
            batch: From `take`.
            error: What failed, and what to do about it.
            sqlstate: Of the failure, if Postgres named one.
            now: Seconds since the epoch.
            requeue: False forgets the batch; whoever submitted it submits it again.
        """
        self.in_flight.remove(batch)
        if requeue:
            self.buffer.requeue(batch.submissions)
        else:
            self.buffer.ack(batch.submissions)
        self.health.failed(error, sqlstate, now)

    def requeue_in_flight(self) -> Iterable[Submission]:
        """Put what is being written back, for another run to write it again, and return all."""
        for batch in self.in_flight:
            self.buffer.requeue(batch.submissions)
        self.in_flight.clear()
        return self.buffer

    @property
    def _is_busy(self) -> bool:
        """Whether a write has to end before another one may start.

        While the database fails, one write at a time probes it.
        """
        at_most = 1 if self.health.is_failing else self.buffer.settings.max_in_flight
        return len(self.in_flight) >= at_most

    def _reason(self, now: float) -> FlushReason | None:
        """Return why a batch is due, whether or not a write may start."""
        oldest_at = self.buffer.oldest_at
        if oldest_at is None or self.control.is_paused:
            return None
        if self.control.is_closed:
            return FlushReason.DRAIN
        if oldest_at <= self.control.flush_before:
            return FlushReason.MANUAL
        return self.buffer.due(now)
