"""The submissions that wait for a write: when a batch of them is due, and which belong to it."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from math import inf

from batching_demo.contracts.messages import Submission
from batching_demo.contracts.operations import BatcherSettings


class FlushReason(StrEnum):
    """Why a batch is written."""

    MANUAL = "manual"
    """An operator asked for it."""
    RECORDS = "records"
    """`max_records` wait."""
    BYTES = "bytes"
    """`max_bytes` wait, or the buffer has no room for a further submission."""
    AGE = "age"
    """The oldest record has waited for the linger, or a call cannot wait longer."""
    BUDGET = "budget"
    """The write budget allows another write."""
    IDLE = "idle"
    """The linger is 0, and a write may start."""
    DRAIN = "drain"
    """The batcher drains or stops, or the worker of a coalescer stops."""


Identity = str | tuple[str, str, bytes]


def identity_of(submission: Submission) -> Identity:
    """Return what tells a submission from all others.

    For a malformed submission the id is not enough. A malformed signal may name any id, such as
    that of a buffered submission, and must not be taken for that submission.
    """
    header = submission.header
    if header.malformed:
        return header.submission_id, header.malformed, submission.records
    return header.submission_id


def attempt_after(attempt: int, *, counts: bool) -> int:
    """Return which attempt comes after one that has failed.

    A record may be to blame after some attempts. An outage is no reason to blame it, so all
    attempts that do not count are one attempt together.

    Args:
        attempt: The one that has failed, from 1.
        counts: Whether a record may be to blame for the failure.
    """
    return attempt + 1 if counts else max(attempt, 2)


class Buffer:
    """The submissions that wait, in the order they came. It also knows those in flight.

    A batch has whole submissions only: together at most `max_records` and `max_bytes`, or a single
    larger one.

    Args:
        settings: When a batch is due, and how large it may be.
    """

    def __init__(self, settings: BatcherSettings) -> None:
        self.settings = settings
        """The settings in force. They may be replaced at any time."""
        self._waiting: deque[Submission] = deque()
        self._attempts: dict[Identity, int] = {}
        """The attempt at every submission that waits or is in flight, counted from 1."""
        self.records = 0
        """Records that wait."""
        self.bytes = 0
        """Bytes that wait, headers included."""
        self.is_full = False
        """Whether a submission has found no room. If so, a batch is due, since it cannot grow."""
        self._due_by = inf
        """When a batch is due at the latest, whatever the linger is."""

    def __iter__(self) -> Iterator[Submission]:
        return iter(self._waiting)

    def __len__(self) -> int:
        return len(self._waiting)

    def knows(self, submission: Submission) -> bool:
        """Return whether a submission waits or is in flight."""
        return identity_of(submission) in self._attempts

    def attempt(self, submission: Submission) -> int:
        """Return which attempt its next write is, or its present one, counted from 1.

        Raises:
            KeyError: The submission neither waits nor is in flight.
        """
        return self._attempts[identity_of(submission)]

    def add(self, submission: Submission, attempt: int = 1, *, due_by: float = inf) -> bool:
        """Append a submission, and return True. If it is known already, return False.

        Args:
            submission: With the time when it was received.
            attempt: Which attempt the next write is. Above 1, an earlier one may have stored some
                of the records. A known submission keeps the higher attempt.
            due_by: When it has to be written, in seconds since the epoch, if it cannot wait for the
                linger.
        """
        identity = identity_of(submission)
        known = self._attempts.get(identity, 0)
        self._attempts[identity] = max(attempt, known)
        if known:
            return False
        self._waiting.append(submission)
        self._due_by = min(self._due_by, due_by)
        self._count(submission, 1)
        return True

    @property
    def oldest_at(self) -> float | None:
        """When the oldest waiting submission was received; None if nothing waits."""
        return self._waiting[0].received_at if self._waiting else None

    def due_at(self) -> float | None:
        """Return when some submission has waited for as long as it may; None if nothing waits."""
        if self.oldest_at is None:
            return None
        return min(self.oldest_at + self.settings.linger_seconds, self._due_by)

    def due(self, now: float) -> FlushReason | None:
        """Return why a batch is due now; None if none is."""
        if self.records >= self.settings.max_records:
            return FlushReason.RECORDS
        if self.bytes >= self.settings.max_bytes or (self.is_full and self._waiting):
            return FlushReason.BYTES
        due_at = self.due_at()
        if due_at is not None and due_at <= now:
            return FlushReason.AGE if self.settings.linger_seconds else FlushReason.IDLE
        return None

    def take(self) -> list[Submission]:
        """Take out the submissions of the next batch, and return them; none if nothing waits.

        They stay known until `ack` or `requeue`.
        """
        self.is_full = False
        taken: list[Submission] = []
        records = size = 0
        while self._waiting:
            submission = self._waiting[0]
            records += submission.header.records
            size += submission.size
            over = records > self.settings.max_records or size > self.settings.max_bytes
            if taken and over:
                break
            taken.append(self._waiting.popleft())
            self._count(submission, -1)
        if not self._waiting:
            self._due_by = inf
        return taken

    def ack(self, submissions: Iterable[Submission]) -> None:
        """Forget submissions that `take` has returned and that need no further write."""
        for submission in submissions:
            del self._attempts[identity_of(submission)]

    def requeue(self, submissions: Sequence[Submission], *, counts: bool = True) -> None:
        """Put back submissions that `take` has returned, for another attempt.

        Args:
            submissions: Those of a batch.
            counts: Whether the failed attempt counts, as of `attempt_after`.
        """
        # Sorted, since two batches may fail in either order, and the oldest has to be first.
        waiting = [*submissions, *self._waiting]
        self._waiting = deque(sorted(waiting, key=lambda one: one.received_at))
        for submission in submissions:
            identity = identity_of(submission)
            self._attempts[identity] = attempt_after(self._attempts[identity], counts=counts)
            self._count(submission, 1)

    def _count(self, submission: Submission, sign: int) -> None:
        """Add a submission to what waits (1), or take it out of that (-1)."""
        self.records += sign * submission.header.records
        self.bytes += sign * submission.size
