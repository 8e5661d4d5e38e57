"""The flush policy: which batch is written next, when, and what the end of a write changes.

A batcher workflow and the coalescer of a worker ask the same policy. Each of them passes the time
of its own clock, and starts the writes itself.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from math import floor

from batching_demo.contracts.batches import BatchHeader
from batching_demo.contracts.encoding import join
from batching_demo.contracts.messages import Submission
from batching_demo.contracts.operations import BatcherSettings, Changes
from batching_demo.core.buffer import Buffer, FlushReason
from batching_demo.core.control import Control, apply_changes, describe_changes
from batching_demo.core.health import Health, is_about_rows

WINDOW_SECONDS = 5
"""In any window of this length, at most so many times the budget and one write begin."""
MOST_MADE_UP = 0.5
"""How much of the delay is made up that the window has room for."""


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
        """Bytes that it took in the buffer, headers included."""
        return sum(submission.size for submission in self.submissions)


@dataclass
class FlusherState:
    """What a flusher knows besides its buffer. A batcher carries it from run to run."""

    control: Control = field(default_factory=Control)
    """What an operator has asked for."""
    health: Health = field(default_factory=Health)
    """How earlier writes ended."""
    last_write_at: float = 0.0
    """When the last write began, in seconds since the epoch. With a write budget, a write that
    began late counts as if it had begun in time."""


class Flusher:
    """Decides when the next batch of a buffer is written.

    Args:
        settings: When a batch is due, and how many writes may be in flight at a time.
        shard: The shard of the batcher; None for a coalescer.
        state: The state of an earlier run; None begins anew.
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
        """Whether nothing waits and nothing is in flight."""
        return not self.in_flight and not len(self.buffer)

    def configure(self, changes: Changes) -> list[str]:
        """Change the settings from the next batch on, and return a text for each change.

        Raises:
            ControlRefusedError: A value is out of its bounds.
        """
        old = self.buffer.settings
        self.buffer.settings = apply_changes(old, changes)
        return list(describe_changes(old, self.buffer.settings))

    def check(self, changes: Changes) -> None:
        """Check that `configure` would make the changes.

        Raises:
            ControlRefusedError: A value is out of its bounds.
        """
        apply_changes(self.buffer.settings, changes)

    def due(self, now: float) -> FlushReason | None:
        """Return why a write should start now; None if no batch is due, or no write may start."""
        if self._is_busy or self.health.retry_at > now:
            return None
        return self._reason(now)

    def wake_at(self, now: float) -> float | None:
        """Return when a write is due if nothing else happens before; None if none would be.

        The time is in seconds since the epoch.
        """
        due_at = self.buffer.due_at()
        if due_at is None or self._is_busy or self.control.is_paused:
            return None
        if self._reason(now):
            # The batch is due, so only the hold after a failure keeps its write from starting.
            return self.health.retry_at
        if self._has_budget:
            due_at = min(due_at, self._within_budget_at)
        return max(due_at, self.health.retry_at)

    def take(self, batch_id: str, reason: FlushReason, now: float) -> Batch:
        """Take the next batch out of the buffer, and return it.

        It is in flight until `wrote` or `failed` is called with it.

        Args:
            batch_id: Names the batch.
            reason: What `due` has returned. Call this only if it has returned one.
            now: Seconds since the epoch.
        """
        self.state.last_write_at = self._planned(now)
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
        """Forget a batch that has been written.

        Args:
            batch: What `take` has returned.
            now: Seconds since the epoch.
            all_refused: Whether Postgres refused every record of it.
        """
        self.in_flight.remove(batch)
        self.buffer.ack(batch.submissions)
        self.health.wrote(now, all_refused=all_refused)

    def failed(
        self,
        batch: Batch,
        error: str,
        sqlstate: str | None,
        now: float,
        *,
        requeue: bool = True,
        decided: Collection[int] = (),
    ) -> None:
        """Requeue a batch whose write has failed, and hold further writes for a while.

        Args:
            batch: What `take` has returned.
            error: What failed, and what to do about it.
            sqlstate: The SQLSTATE of the failure, if Postgres named one.
            now: Seconds since the epoch.
            requeue: False forgets the batch, since its submissions come again by themselves.
            decided: The places of submissions that are written all the same, and are forgotten.
        """
        self.in_flight.remove(batch)
        submissions = list(enumerate(batch.submissions))
        self.buffer.ack(one for place, one in submissions if place in decided or not requeue)
        undecided = [one for place, one in submissions if place not in decided]
        if requeue:
            self.buffer.requeue(undecided, counts=is_about_rows(sqlstate))
        self.health.failed(error, sqlstate, now)

    def requeue_in_flight(self) -> Iterable[Submission]:
        """Requeue every batch in flight, and return all submissions that wait then.

        The next run of a batcher writes them again.
        """
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
        """Return why a batch is due, whether or not a write may start; None if none is due."""
        oldest_at = self.buffer.oldest_at
        if oldest_at is None or self.control.is_paused:
            return None
        if self.control.is_closed:
            return FlushReason.DRAIN
        if oldest_at <= self.control.flush_before:
            return FlushReason.MANUAL
        if reason := self.buffer.due(now):
            return reason
        return FlushReason.BUDGET if self._has_budget and self._within_budget_at <= now else None

    @property
    def _has_budget(self) -> bool:
        return self.buffer.settings.max_writes_per_second > 0

    def _planned(self, now: float) -> float:
        """Return when a write that begins now counts as begun.

        A timer always fires late. If each write counted from when it really began, the delays
        would add up, and the budget would not be used. A delay that is too long is not made up.
        """
        if not self._has_budget:
            return now
        rate = self.buffer.settings.max_writes_per_second
        # In any window, the writes that are planned at most so much before it are no more than
        # those that are planned within it, and one.
        planned_in_window = rate * WINDOW_SECONDS
        most_late = MOST_MADE_UP * (floor(planned_in_window) + 1 - planned_in_window) / rate
        due_at = max(self._within_budget_at, self.buffer.oldest_at or now)
        return max(min(now, due_at), now - most_late)

    @property
    def _within_budget_at(self) -> float:
        """When the budget allows another write. Only batches that are not full wait for it."""
        return self.state.last_write_at + 1 / self.buffer.settings.max_writes_per_second
