"""Admit submissions to the buffer, or remember whom to tell to come back."""

from batching_demo.contracts.batches import BusyAnswer
from batching_demo.contracts.limits import KIB
from batching_demo.contracts.messages import Busy, Submission, SubmissionHeader
from batching_demo.core.admission import LARGEST_BUFFER_BYTES, Admission
from batching_demo.core.buffer import Buffer

ANSWERED_AT_ONCE = 1_000
"""Submissions; their names have to fit into one message."""
LARGEST_BUFFER_WITH_ANONYMOUS_BYTES = LARGEST_BUFFER_BYTES + 64 * KIB


class Intake:
    """The entrance of a buffer, and the submissions that still have to be answered busy."""

    def __init__(self, buffer: Buffer, admission: Admission) -> None:
        self._buffer = buffer
        self._admission = admission
        self._turned_away: list[tuple[SubmissionHeader, float]] = []

    @property
    def has_turned_away(self) -> bool:
        """Whether someone still has to be told to come back."""
        return bool(self._turned_away)

    def admit(
        self, submission: Submission, now: float, *, is_closed: bool, retry_after: float
    ) -> bool:
        """Buffer a submission if there is room, and return whether it is in.

        Args:
            submission: What came.
            now: Seconds since the epoch.
            is_closed: Whether everybody is turned away.
            retry_after: Seconds that nobody who is turned away should come back before.
        """
        header = submission.header
        if self._buffer.knows(submission):
            return True
        if not header.requester and self._buffer.bytes < LARGEST_BUFFER_WITH_ANONYMOUS_BYTES:
            # Nobody could be told to come back, so it takes what is kept free for such.
            return self._buffer.add(submission)
        if is_closed:
            self._turned_away.append((header, retry_after))
            return False
        size, buffered = submission.size, self._buffer.bytes
        wait = self._admission.ask(header.submission_id, size, buffered, now, at_least=retry_after)
        if wait is None:
            return self._buffer.add(submission)
        self._turned_away.append((header, wait))
        if size > LARGEST_BUFFER_BYTES - buffered:
            self._buffer.is_full = True
        return False

    def busy_answers(self) -> list[BusyAnswer]:
        """Take out what to tell each requester, as much as fits well into one activity.

        A requester comes back once, for all of its submissions, after the longest wait.
        """
        told = self._turned_away[:ANSWERED_AT_ONCE]
        self._turned_away = self._turned_away[ANSWERED_AT_ONCE:]
        waits: dict[str, dict[str, float]] = {}
        for header, wait in told:
            if header.requester:
                waits.setdefault(header.requester, {})[header.submission_id] = wait
        return [
            BusyAnswer(requester, Busy(list(waited), max(waited.values())))
            for requester, waited in waits.items()
        ]
