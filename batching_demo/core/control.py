"""What an operator has told a batcher: whether it takes submissions, and what makes it flush."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from enum import StrEnum

from batching_demo.contracts.limits import MAX_BATCH_BYTES, MAX_BATCH_RECORDS
from batching_demo.contracts.messages import BatcherSettings
from batching_demo.core.buffer import Buffer, FlushReason

SHORTEST_PATIENCE_SECONDS = 2.0
LONGEST_PATIENCE_SECONDS = 300.0
LONGEST_LINGER_SECONDS = 30 * 24 * 60 * 60
RESUME = "`batching-demo batcher resume`"


class Mode(StrEnum):
    """How a batcher treats what comes and what waits."""

    OPEN = "open"
    PAUSED = "paused"
    """Submissions are taken while there is room; nothing is flushed."""
    DRAINING = "draining"
    """Submissions are answered busy; all that waits is flushed."""
    STOPPING = "stopping"
    """As draining; the workflow ends once nothing is left."""


class ControlRefusedError(Exception):
    """What was asked does not fit; the message says what to do first."""


@dataclass
class Control:
    """The mode, and what was flushed by hand. Each method says what it did."""

    mode: Mode = Mode.OPEN
    since: float = 0.0
    """Seconds since the epoch; when the mode was entered, 0 if nobody ever changed it."""
    flush_before: float = 0.0
    """Whatever was received until then is flushed, whether or not a batch is full."""

    @property
    def is_closed(self) -> bool:
        """Whether submissions are answered busy, room or not."""
        return self.mode in (Mode.DRAINING, Mode.STOPPING)

    def due(self, buffer: Buffer, now: float) -> FlushReason | None:
        """Tell why a batch should be taken now, if one should."""
        if self.mode is Mode.PAUSED or buffer.oldest_at is None:
            return None
        if self.is_closed:
            return FlushReason.DRAIN
        if buffer.oldest_at <= self.flush_before:
            return FlushReason.MANUAL
        return buffer.is_due(now)

    def due_at(self, buffer: Buffer) -> float | None:
        """Tell when time alone makes a batch due."""
        return None if self.mode is Mode.PAUSED else buffer.due_at()

    def patience(self, now: float) -> float:
        """Tell how long who is turned away should stay away, however much room there is.

        It grows with how long the mode has lasted, so that a short pause costs little time and a
        long one few messages.
        """
        if self.mode is Mode.OPEN:
            return 0.0
        return min(max(now - self.since, SHORTEST_PATIENCE_SECONDS), LONGEST_PATIENCE_SECONDS)

    def flush(self, now: float) -> None:
        """Have everything flushed that has been received."""
        self.flush_before = now

    def check_flush(self) -> None:
        """Check that a flush would do something.

        Raises:
            ControlRefusedError: a pause holds.
        """
        if self.mode is Mode.PAUSED:
            raise ControlRefusedError(f"is paused and flushes nothing: {RESUME} first")

    def pause(self, now: float) -> str | None:
        """Stop flushing; None if that is so already."""
        if not self._enter(Mode.PAUSED, now):
            return None
        return "paused: nothing is flushed, submissions are taken while there is room"

    def check_pause(self) -> None:
        """Check that a pause would not open what a drain has closed.

        Raises:
            ControlRefusedError: it drains or stops.
        """
        if self.is_closed:
            raise ControlRefusedError(f"is {self.mode}, and closed: {RESUME} first")

    def resume(self, now: float) -> str | None:
        """Take submissions and flush as usual; None if that is so already."""
        before = self.mode
        if not self._enter(Mode.OPEN, now):
            return None
        return f"resumed: it was {before}, now it takes submissions and flushes as usual"

    def drain(self, now: float) -> str | None:
        """Take nothing more and flush all; None if that is so already."""
        if self.mode is Mode.STOPPING or not self._enter(Mode.DRAINING, now):
            return None
        return "draining: submissions are answered busy, all that waits is flushed"

    def stop(self, now: float) -> str | None:
        """Take nothing more, flush all, then end; None if that is so already."""
        if not self._enter(Mode.STOPPING, now):
            return None
        return "stopping: submissions are answered busy, it ends when all that waits is flushed"

    def _enter(self, mode: Mode, now: float) -> bool:
        if self.mode is mode:
            return False
        self.mode, self.since = mode, now
        return True


@dataclass(frozen=True)
class Changes:
    """Settings to change while a batcher runs; None leaves one as it is."""

    max_records: int | None = None
    max_bytes: int | None = None
    linger_seconds: float | None = None
    version: int = 1


def apply_changes(settings: BatcherSettings, changes: Changes) -> BatcherSettings:
    """Apply changes to settings.

    Raises:
        ControlRefusedError: a value that no batcher can work with.
    """
    if changes.max_records is not None and not 1 <= changes.max_records <= MAX_BATCH_RECORDS:
        raise ControlRefusedError(
            f"takes 1 to {MAX_BATCH_RECORDS} records, not {changes.max_records}"
        )
    if changes.max_bytes is not None and not 1 <= changes.max_bytes <= MAX_BATCH_BYTES:
        raise ControlRefusedError(f"takes 1 to {MAX_BATCH_BYTES} bytes, not {changes.max_bytes}")
    linger = changes.linger_seconds
    if linger is not None and not (math.isfinite(linger) and 0 <= linger <= LONGEST_LINGER_SECONDS):
        raise ControlRefusedError(f"cannot linger {linger} s")
    given = {
        field.name: getattr(changes, field.name)
        for field in fields(changes)
        if field.name != "version" and getattr(changes, field.name) is not None
    }
    return replace(settings, **given)


def describe_changes(old: BatcherSettings, new: BatcherSettings) -> Iterator[str]:
    """Name each setting that changes, with both values."""
    for field in fields(BatcherSettings):
        before, after = getattr(old, field.name), getattr(new, field.name)
        if before != after:
            yield f"{field.name} {before:g} -> {after:g}"
