"""The heart of the batcher: which submissions wait, when a batch is due, what it takes."""

import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from batching_demo.contracts.messages import BatcherSettings, SubmissionHeader

_EMPTY_HEADER = asdict(SubmissionHeader("", "", 0, 0, "", ""))
HEADER_BYTES = len(json.dumps(_EMPTY_HEADER, separators=(",", ":"))) + len("1234567")
"""What a header's field names and numbers add to its texts."""


class FlushReason(StrEnum):
    """Why a batch is sent."""

    MANUAL = "manual"
    """Someone asked for it."""
    RECORDS = "records"
    BYTES = "bytes"
    AGE = "age"
    IDLE = "idle"
    """There is no linger, and the writer is free."""
    DRAIN = "drain"
    """Nothing more is taken, and all is to be written."""


@dataclass(frozen=True)
class Submission:
    """A submission as it waits: its records stay the bytes that they came as."""

    header: SubmissionHeader
    records: bytes
    received_at: float
    """Seconds since the epoch."""

    @property
    def size(self) -> int:
        """Bytes that it takes in a batch, header included."""
        header = self.header
        texts = len(header.submission_id) + len(header.requester)
        texts += len(header.source) + len(header.run_label)
        return len(self.records) + texts + HEADER_BYTES


class Buffer:
    """Submissions in the order they came, and those that a write has taken.

    A batch is whole submissions: at most `max_records` and `max_bytes`, or one larger submission
    by itself.
    """

    def __init__(self, settings: BatcherSettings, submissions: Iterable[Submission] = ()) -> None:
        self._settings = settings
        self._waiting: deque[Submission] = deque()
        self._known: dict[str, None] = {}
        self.records = 0
        self.bytes = 0
        self.is_full = False
        """Something found no room, so that waiting longer makes no larger batch."""
        for submission in submissions:
            self.add(submission)

    def __iter__(self) -> Iterator[Submission]:
        return iter(self._waiting)

    def __len__(self) -> int:
        return len(self._waiting)

    def knows(self, submission: Submission) -> bool:
        """Tell whether a submission waits or is being written already."""
        return submission.header.submission_id in self._known

    def add(self, submission: Submission) -> bool:
        """Append a submission, unless it is known."""
        if self.knows(submission):
            return False
        self._known[submission.header.submission_id] = None
        self._waiting.append(submission)
        self._count(submission, 1)
        return True

    @property
    def oldest_at(self) -> float | None:
        """When the oldest submission that waits was received."""
        return self._waiting[0].received_at if self._waiting else None

    @property
    def linger_seconds(self) -> float:
        """How long the oldest submission may wait."""
        return self._settings.linger_seconds

    def configure(self, settings: BatcherSettings) -> None:
        """Fill batches by other settings from now on."""
        self._settings = settings

    def due_at(self) -> float | None:
        """Tell when the oldest submission has waited long enough."""
        if self.oldest_at is None:
            return None
        return self.oldest_at + self._settings.linger_seconds

    def is_due(self, now: float) -> FlushReason | None:
        """Tell why a batch should be taken now, if one should."""
        if self.records >= self._settings.max_records:
            return FlushReason.RECORDS
        if self.bytes >= self._settings.max_bytes or (self.is_full and self._waiting):
            return FlushReason.BYTES
        due_at = self.due_at()
        if due_at is not None and due_at <= now:
            return FlushReason.AGE if self._settings.linger_seconds else FlushReason.IDLE
        return None

    def take(self) -> list[Submission]:
        """Take the next batch out; its submissions stay known until `settle` or `give_back`."""
        self.is_full = False
        taken: list[Submission] = []
        records = size = 0
        while self._waiting:
            submission = self._waiting[0]
            records += submission.header.records
            size += submission.size
            over = records > self._settings.max_records or size > self._settings.max_bytes
            if taken and over:
                break
            taken.append(self._waiting.popleft())
            self._count(submission, -1)
        return taken

    def settle(self, submissions: Iterable[Submission]) -> None:
        """Forget submissions that were taken and have been answered."""
        for submission in submissions:
            del self._known[submission.header.submission_id]

    def give_back(self, submissions: Sequence[Submission]) -> None:
        """Put submissions that were taken back, oldest first: two batches may fail at once."""
        waiting = [*submissions, *self._waiting]
        self._waiting = deque(sorted(waiting, key=lambda one: one.received_at))
        for submission in submissions:
            self._count(submission, 1)

    def _count(self, submission: Submission, sign: int) -> None:
        self.records += sign * submission.header.records
        self.bytes += sign * submission.size
