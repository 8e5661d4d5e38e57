"""Let submissions into the buffer, or note whom to tell to come back."""

from batching_demo.batcher_service.messages import TurnedAway, busy_answers
from batching_demo.contracts.limits import KIB
from batching_demo.contracts.messages import SubmissionHeader
from batching_demo.core.admission import LARGEST_BUFFER_BYTES, Admission
from batching_demo.core.buffer import Buffer, Submission

ANSWERED_AT_ONCE = 1_000
"""Submissions; their names have to fit into one message."""
MOST_WITH_ANONYMOUS_BYTES = LARGEST_BUFFER_BYTES + 64 * KIB


class Intake:
    """The door of a buffer, and those who stand before it without having been told so."""

    def __init__(self, buffer: Buffer, admission: Admission) -> None:
        self._buffer = buffer
        self._admission = admission
        self._turned_away: list[tuple[SubmissionHeader, float]] = []

    @property
    def has_turned_away(self) -> bool:
        """Whether someone still has to be told to come back."""
        return bool(self._turned_away)

    def take(self, submission: Submission, now: float, *, is_closed: bool, at_least: float) -> bool:
        """Buffer a submission if there is room; tell whether it is in.

        Args:
            submission: what came.
            now: seconds since the epoch.
            is_closed: whether everybody is turned away.
            at_least: seconds that nobody who is turned away should come back before.
        """
        header = submission.header
        if self._buffer.knows(submission):
            return True
        if not header.requester and self._buffer.bytes < MOST_WITH_ANONYMOUS_BYTES:
            # Nobody could be told to come back, so it takes what is kept free for such.
            return self._buffer.add(submission)
        if is_closed:
            self._turned_away.append((header, at_least))
            return False
        wait = self._admission.ask(
            header.submission_id, submission.size, self._buffer.bytes, now, at_least=at_least
        )
        if wait is None:
            return self._buffer.add(submission)
        self._turned_away.append((header, wait))
        room = LARGEST_BUFFER_BYTES - self._buffer.bytes
        self._buffer.is_full = self._buffer.is_full or submission.size > room
        return False

    def busy_answers(self) -> list[TurnedAway]:
        """Take out what to tell, as much as fits well into one activity."""
        now, self._turned_away = (
            self._turned_away[:ANSWERED_AT_ONCE],
            self._turned_away[ANSWERED_AT_ONCE:],
        )
        return busy_answers(now)
