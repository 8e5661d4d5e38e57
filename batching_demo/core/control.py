"""What an operator has asked of a batcher: whether it takes submissions, and whether it flushes."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace

from batching_demo.contracts.limits import MAX_BATCH_BYTES, MAX_BATCH_RECORDS
from batching_demo.contracts.operations import BatcherSettings, Changes, Mode

SHORTEST_RETRY_AFTER_SECONDS = 2.0
LONGEST_RETRY_AFTER_SECONDS = 300.0
LONGEST_LINGER_SECONDS = 30 * 24 * 60 * 60
MOST_WRITES_PER_SECOND = 1_000.0
RESUME = "`batching-demo batcher resume`"


class ControlRefusedError(Exception):
    """A batcher refuses a request; the message says why, and what to do first."""


@dataclass
class Control:
    """The mode of a batcher, and the last flush by hand."""

    mode: Mode = Mode.OPEN
    since: float = 0.0
    """When the mode was entered, in seconds since the epoch; 0 if nobody ever changed it."""
    flush_before: float = 0.0
    """What was received until this time is flushed, whether or not a batch is due. In seconds since
    the epoch."""

    @property
    def is_paused(self) -> bool:
        """Whether nothing is flushed."""
        return self.mode is Mode.PAUSED

    @property
    def is_closed(self) -> bool:
        """Whether submissions are answered busy, room or not."""
        return self.mode in (Mode.DRAINING, Mode.STOPPING)

    def retry_after(self, now: float) -> float:
        """Return the least retry_after, in seconds, of a submission that is answered busy now.

        It grows with the time that the mode has lasted. So a submission comes back soon after a
        short pause, and costs few messages in a long one.
        """
        if self.mode is Mode.OPEN:
            return 0.0
        lasted = now - self.since
        return min(max(lasted, SHORTEST_RETRY_AFTER_SECONDS), LONGEST_RETRY_AFTER_SECONDS)

    def flush(self, now: float) -> None:
        """Have everything flushed that has been received until now."""
        self.flush_before = now

    def check_flush(self) -> None:
        """Check that a flush would do something.

        Raises:
            ControlRefusedError: The batcher is paused.
        """
        if self.is_paused:
            raise ControlRefusedError(f"is paused and flushes nothing: {RESUME} first")

    def pause(self, now: float) -> str | None:
        """Stop flushing. Return what was done; None if it was paused already."""
        if not self._enter(Mode.PAUSED, now):
            return None
        return "paused: nothing is flushed, submissions are taken while there is room"

    def check_pause(self) -> None:
        """Check that the batcher is not closed: a pause would open it.

        Raises:
            ControlRefusedError: The batcher drains or stops.
        """
        if self.is_closed:
            raise ControlRefusedError(f"is {self.mode}, and closed: {RESUME} first")

    def resume(self, now: float) -> str | None:
        """Take submissions and flush as usual.

        Return what was done; None if it was open already.
        """
        before = self.mode
        if not self._enter(Mode.OPEN, now):
            return None
        return f"resumed: it was {before}, now it takes submissions and flushes as usual"

    def drain(self, now: float) -> str | None:
        """Take nothing more, and flush all.

        Return what was done; None if it was closed already.
        """
        if self.mode is Mode.STOPPING or not self._enter(Mode.DRAINING, now):
            return None
        return "draining: submissions are answered busy, all that waits is flushed"

    def stop(self, now: float) -> str | None:
        """Take nothing more, flush all, then end.

        Return what was done; None if it was stopping already.
        """
        if not self._enter(Mode.STOPPING, now):
            return None
        return "stopping: submissions are answered busy, it ends when all that waits is flushed"

    def _enter(self, mode: Mode, now: float) -> bool:
        """Enter a mode, and return whether it is a new one."""
        if self.mode is mode:
            return False
        self.mode, self.since = mode, now
        return True


def apply_changes(settings: BatcherSettings, changes: Changes) -> BatcherSettings:
    """Return settings with the changes made.

    Raises:
        ControlRefusedError: A value is out of its bounds.
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
    rate = changes.max_writes_per_second
    if rate is not None and not (math.isfinite(rate) and 0 <= rate <= MOST_WRITES_PER_SECOND):
        raise ControlRefusedError(
            f"takes a budget of 0 to {MOST_WRITES_PER_SECOND:g} writes a second, not {rate:g}"
        )
    given = {name: value for name, value in asdict(changes).items() if value is not None}
    return replace(settings, **given)


def describe_changes(old: BatcherSettings, new: BatcherSettings) -> Iterator[str]:
    """Yield a text for each setting that differs, with its name and both values."""
    for field in fields(BatcherSettings):
        before, after = getattr(old, field.name), getattr(new, field.name)
        if before != after:
            yield f"{field.name} {before:g} -> {after:g}"
