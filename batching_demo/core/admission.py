"""Which submissions a bounded buffer takes, and when the others are to be submitted again."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile

LARGEST_BUFFER_BYTES = 512 * 1024
"""Encoded bytes that a batcher buffers, headers included."""
LONGEST_BACKLOG = 1_000
"""The most reservations. Further submissions are answered busy too, but get no reservation."""
SHORTEST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 300.0
RESERVATION_KEPT_SECONDS = 10.0
"""How long a reservation is kept for a submission that is late."""
EXPECTED_SOON_SECONDS = 1.0
"""Room is kept for a submission that is expected this soon. Kept earlier, it would lie idle."""
OPTIMISM = 0.7
"""A submission comes back after this share of the time that the bytes before it should take. One
that comes too early costs a message. One that comes too late leaves the buffer idle."""
FIRST_GUESS_BYTES_PER_SECOND = 500_000.0
"""The rate before the first write."""
SMOOTHING = 0.3
"""Weight of the newest write in the average rate."""


@dataclass
class Reservation:
    """The place of one submission in the backlog."""

    submission_id: str
    size: int
    """Bytes."""
    expected_at: float = 0.0
    """When it is to be submitted again, in seconds since the epoch."""
    has_returned: bool = False
    """Whether it came back and found no room again. If so, room is kept for it all the time."""


class Admission:
    """The backlog before a full buffer. It keeps room for those that come back, in their order.

    Without a backlog, a large submission would starve behind small ones that fit into every gap.

    Args:
        backlog: Reservations of an earlier run, the next one first.
        rate: Bytes written per second, as an earlier run measured it.
    """

    def __init__(
        self, backlog: Iterable[Reservation] = (), rate: float = FIRST_GUESS_BYTES_PER_SECOND
    ) -> None:
        self._backlog = {one.submission_id: one for one in backlog}
        # Thousands may ask in one workflow task, so the sums over the backlog are kept: the bytes
        # of all reservations, and of those that room is kept for at the moment `_now`.
        self._now = -math.inf
        self._waiting = self._kept = 0
        self.rate = rate
        """Bytes written per second, lately."""

    def __len__(self) -> int:
        return len(self._backlog)

    def backlog(self) -> list[Reservation]:
        """Return the reservations, the next one first."""
        return list(self._backlog.values())

    def ask(
        self, submission_id: str, size: int, buffered: int, now: float, *, at_least: float = 0.0
    ) -> float | None:
        """Return None if there is room for a submission, else the seconds after which to ask again.

        A submission that finds no room gets a reservation, and keeps its place however often it
        asks. One that is admitted gives its reservation up.

        Args:
            submission_id: The same however often the submission asks.
            size: Bytes of the submission.
            buffered: Bytes that wait in the buffer.
            now: Seconds since the epoch.
            at_least: The least number of seconds to return.
        """
        self._advance(now)
        reservation = self._backlog.get(submission_id)
        waiting, kept = self._ahead_of(reservation) if reservation else (self._waiting, self._kept)
        # An empty buffer takes anything, since a submission larger than the buffer must get in too.
        fits = buffered + kept + size <= LARGEST_BUFFER_BYTES
        if fits or buffered + kept == 0:
            if reservation:
                self._count(self._backlog.pop(submission_id), -1)
            return None
        wait = OPTIMISM * (buffered + waiting + size) / self.rate
        wait = min(max(wait, at_least, SHORTEST_RETRY_SECONDS), LONGEST_RETRY_SECONDS)
        self._reserve(submission_id, size, now + wait)
        return wait

    def wrote(self, size: int, seconds: float) -> None:
        """Learn from a finished write how fast the backlog moves.

        Args:
            size: Bytes that were written.
            seconds: How long that took. If writes overlap, the time divided by their number.
        """
        self.rate += SMOOTHING * (size / max(seconds, 0.001) - self.rate)

    def _reserve(self, submission_id: str, size: int, expected_at: float) -> None:
        """Renew a reservation in its place, or append one if the backlog is not too long."""
        old = self._backlog.get(submission_id)
        if old:
            self._count(old, -1)
        elif len(self._backlog) >= LONGEST_BACKLOG:
            return
        new = Reservation(submission_id, size, expected_at, has_returned=old is not None)
        self._backlog[submission_id] = new
        self._count(new, 1)

    def _advance(self, now: float) -> None:
        """Drop the reservations of those that did not come back in time, and sum up the others."""
        if now == self._now:
            return
        self._now = now
        for one in self.backlog():
            if one.expected_at + RESERVATION_KEPT_SECONDS <= now:
                del self._backlog[one.submission_id]
        self._waiting, self._kept = self._sums(self._backlog.values())

    def _ahead_of(self, reservation: Reservation) -> tuple[int, int]:
        """Return the sums over the reservations before one."""
        others = self._backlog.values()
        return self._sums(takewhile(lambda other: other is not reservation, others))

    def _sums(self, reservations: Iterable[Reservation]) -> tuple[int, int]:
        """Return the bytes of reservations, and of those among them that room is kept for."""
        waiting = kept = 0
        for one in reservations:
            waiting += one.size
            kept += one.size if self._is_kept(one) else 0
        return waiting, kept

    def _count(self, reservation: Reservation, sign: int) -> None:
        """Add a reservation to the sums (1), or take it out of them (-1)."""
        self._waiting += sign * reservation.size
        self._kept += sign * reservation.size if self._is_kept(reservation) else 0

    def _is_kept(self, reservation: Reservation) -> bool:
        """Return whether room is kept for a reservation now."""
        return (
            reservation.has_returned or reservation.expected_at <= self._now + EXPECTED_SOON_SECONDS
        )
