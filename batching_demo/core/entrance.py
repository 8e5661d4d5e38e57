"""Take submissions into a batcher's buffer, or remember which have to be answered busy."""

from itertools import accumulate

from batching_demo.contracts.batches import BusyAnswer
from batching_demo.contracts.limits import KIB, MAX_BATCH_BYTES
from batching_demo.contracts.messages import Busy, Submission, SubmissionHeader
from batching_demo.core.admission import LARGEST_BUFFER_BYTES, Admission
from batching_demo.core.buffer import Buffer

ANSWERED_AT_ONCE = 1_000
"""Submissions that one activity answers busy."""
ANSWERED_AT_ONCE_BYTES = MAX_BATCH_BYTES
"""Bytes of their headers. Their ids have to fit into the arguments of the activity."""
LARGEST_BUFFER_WITH_ANONYMOUS_BYTES = LARGEST_BUFFER_BYTES + 64 * KIB
"""Submissions without a requester are taken up to here: nobody can submit them again."""


class Entrance:
    """The entrance of a buffer, and the submissions that still have to be answered busy.

    Args:
        buffer: Gets the submissions that are taken.
        admission: Says whether there is room.
        counts_bytes: False in a run that began before answers and submissions without a requester
            were bounded by the bytes that travel.
    """

    def __init__(self, buffer: Buffer, admission: Admission, *, counts_bytes: bool = True) -> None:
        self._buffer = buffer
        self._admission = admission
        self._counts_bytes = counts_bytes
        self._turned_away: list[tuple[SubmissionHeader, float, int]] = []
        """With the wait, and the bytes of the header."""

    @property
    def has_turned_away(self) -> bool:
        """Whether a submission still has to be answered busy."""
        return bool(self._turned_away)

    def admit(
        self, submission: Submission, now: float, *, is_closed: bool, retry_after: float
    ) -> bool:
        """Buffer a submission if there is room. Return whether it is buffered or in flight.

        Args:
            submission: With the time when it was received.
            now: Seconds since the epoch.
            is_closed: Whether the batcher answers all submissions busy.
            retry_after: The least number of seconds after which a submission that is answered busy
                should come back.
        """
        header = submission.header
        if self._buffer.knows(submission):
            return True
        if not header.requester and self._has_room_for_anonymous(submission):
            # Nobody can be told to submit it again, so it is taken even if the buffer is full.
            return self._buffer.add(submission)
        header_bytes = submission.size - len(submission.records)
        if is_closed:
            self._turned_away.append((header, retry_after, header_bytes))
            return False
        size, buffered = submission.size, self._buffer.bytes
        wait = self._admission.ask(header.submission_id, size, buffered, now, at_least=retry_after)
        if wait is None:
            return self._buffer.add(submission)
        self._turned_away.append((header, wait, header_bytes))
        if size > LARGEST_BUFFER_BYTES - buffered:
            # Not because of reservations: the buffer itself has no room, so a batch is due.
            self._buffer.is_full = True
        return False

    def _has_room_for_anonymous(self, submission: Submission) -> bool:
        before = self._buffer.bytes
        after = before + submission.size if before and self._counts_bytes else before + 1
        return after <= LARGEST_BUFFER_WITH_ANONYMOUS_BYTES

    def busy_answers(self) -> list[BusyAnswer]:
        """Return the next busy answers, as many as one activity sends, and forget them.

        A requester gets one answer for all of its submissions, with the longest wait of them.
        """
        number = self._answered_at_once()
        told, self._turned_away = self._turned_away[:number], self._turned_away[number:]
        waits: dict[str, dict[str, float]] = {}
        for header, wait, _ in told:
            if header.requester:
                waits.setdefault(header.requester, {})[header.submission_id] = wait
        return [
            BusyAnswer(requester, Busy(list(waited), max(waited.values())))
            for requester, waited in waits.items()
        ]

    def _answered_at_once(self) -> int:
        """Return how many submissions the next activity answers."""
        if not self._counts_bytes:
            return ANSWERED_AT_ONCE
        sizes = accumulate(size for *_, size in self._turned_away[:ANSWERED_AT_ONCE])
        return max(1, sum(size <= ANSWERED_AT_ONCE_BYTES for size in sizes))
