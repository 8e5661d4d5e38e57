"""Which submissions wait, when a batch of them is due, and what it takes."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

from batching_demo.contracts.messages import Submission
from batching_demo.contracts.operations import BatcherSettings


class FlushReason(StrEnum):
    """Why a batch is written."""

    MANUAL = "manual"
    """An operator asked for it."""
    RECORDS = "records"
    BYTES = "bytes"
    AGE = "age"
    IDLE = "idle"
    """There is no linger, and a write may start."""
    DRAIN = "drain"
    """Nothing more is taken, and all is to be written."""


Identity = str | tuple[str, str, bytes]


def identity_of(submission: Submission) -> Identity:
    """Return what tells a submission from others.

    Malformed ones may name any submission, one that is buffered or each other's, and none may
    hide another one.
    """
    header = submission.header
    if header.malformed:
        return header.submission_id, header.malformed, submission.records
    return header.submission_id


class Buffer:
    """Submissions that wait, in the order they came, and those that a write has taken.

    A batch is whole submissions: at most `max_records` and `max_bytes`, or one larger submission
    by itself.
    """

    def __init__(self, settings: BatcherSettings) -> None:
        self.settings = settings
        """In force. They may be replaced at any time."""
        self._waiting: deque[Submission] = deque()
        self._attempts: dict[Identity, int] = {}
        """Of every submission that waits or is being written."""
        self.records = 0
        self.bytes = 0
        self.is_full = False
        """Something found no room, so that waiting longer makes no larger batch."""

    def __iter__(self) -> Iterator[Submission]:
        return iter(self._waiting)

    def __len__(self) -> int:
        return len(self._waiting)

    def knows(self, submission: Submission) -> bool:
        """Return whether a submission waits or is being written already."""
        return identity_of(submission) in self._attempts

    def attempt(self, submission: Submission) -> int:
        """Return which attempt at a submission the next or present write is, from 1."""
        return self._attempts[identity_of(submission)]

    def add(self, submission: Submission, attempt: int = 1) -> bool:
        """Append a submission unless it is known, and return whether it was not.

        Args:
            submission: With the time when it was received.
            attempt: Above 1, an earlier attempt may have stored some of its records.
        """
        identity = identity_of(submission)
        known = self._attempts.get(identity, 0)
        self._attempts[identity] = max(attempt, known)
        if known:
            return False
        self._waiting.append(submission)
        self._count(submission, 1)
        return True

    @property
    def oldest_at(self) -> float | None:
        """When the oldest submission that waits was received."""
        return self._waiting[0].received_at if self._waiting else None

    def due_at(self) -> float | None:
        """Return when the oldest submission has waited long enough; None if nothing waits."""
        if self.oldest_at is None:
            return None
        return self.oldest_at + self.settings.linger_seconds

    def due(self, now: float) -> FlushReason | None:
        """Return why a batch should be taken now, if one should."""
        if self.records >= self.settings.max_records:
            return FlushReason.RECORDS
        if self.bytes >= self.settings.max_bytes or (self.is_full and self._waiting):
            return FlushReason.BYTES
        due_at = self.due_at()
        if due_at is not None and due_at <= now:
            return FlushReason.AGE if self.settings.linger_seconds else FlushReason.IDLE
        return None

    def take(self) -> list[Submission]:
        """Take the next batch out. Its submissions stay known until `ack` or `requeue`."""
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
        return taken

    def ack(self, submissions: Iterable[Submission]) -> None:
        """Forget submissions that were taken and have been answered."""
        for submission in submissions:
            del self._attempts[identity_of(submission)]

    def requeue(self, submissions: Sequence[Submission]) -> None:
        """Put submissions that were taken back, oldest first: two batches may fail at once."""
        waiting = [*submissions, *self._waiting]
        self._waiting = deque(sorted(waiting, key=lambda one: one.received_at))
        for submission in submissions:
            self._attempts[identity_of(submission)] += 1
            self._count(submission, 1)

    def _count(self, submission: Submission, sign: int) -> None:
        self.records += sign * submission.header.records
        self.bytes += sign * submission.size
