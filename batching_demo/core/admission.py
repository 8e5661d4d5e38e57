"""Who is admitted to a bounded buffer, and when those turned away should come back."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile

LARGEST_BUFFER_BYTES = 512 * 1024
LONGEST_BACKLOG = 1_000
"""Submissions that have a reservation. Later ones get none."""
SHORTEST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 300.0
RESERVATION_KEPT_SECONDS = 10.0
"""How long after the time to come back a reservation is kept."""
EXPECTED_SOON_SECONDS = 1.0
"""Room is kept for whoever is expected within this. For longer it would only lie idle."""
OPTIMISM = 0.7
"""Share of the time that the backlog ahead should take. Too early costs a message, too late costs
idling."""
FIRST_GUESS_BYTES_PER_SECOND = 500_000.0
SMOOTHING = 0.3
"""Weight of the newest write in the average rate."""


@dataclass
class Reservation:
    """The place of one submission in the backlog."""

    submission_id: str
    size: int
    expected_at: float = 0.0
    """When it should come back, in seconds since the epoch."""
    has_returned: bool = False
    """It came back and found no room again. From now on room is kept for it."""


class Admission:
    """A backlog before a full buffer. Whoever comes back finds room kept, in the backlog's order.

    Without it, a large submission would starve behind small ones that fit into every gap.
    """

    def __init__(
        self, backlog: Iterable[Reservation] = (), rate: float = FIRST_GUESS_BYTES_PER_SECOND
    ) -> None:
        self._backlog = {one.submission_id: one for one in backlog}
        # Sums over the backlog as of a moment, for thousands may ask in one workflow task.
        self._now = -math.inf
        self._waiting = self._kept = 0
        self.rate = rate
        """Bytes written per second, lately."""

    def __len__(self) -> int:
        return len(self._backlog)

    def backlog(self) -> list[Reservation]:
        """Return the backlog, who is next first."""
        return list(self._backlog.values())

    def ask(
        self, submission_id: str, size: int, buffered: int, now: float, *, at_least: float = 0.0
    ) -> float | None:
        """Ask for room: None admits; otherwise it returns the seconds after which to ask again.

        Args:
            submission_id: Keeps its reservation however often it asks.
            size: Bytes.
            buffered: Bytes that wait already.
            now: Seconds since the epoch.
            at_least: Seconds that nobody should come back before.
        """
        self._advance(now)
        reservation = self._backlog.get(submission_id)
        waiting, kept = self._ahead_of(reservation) if reservation else (self._waiting, self._kept)
        # An empty buffer takes anything, so that nothing is too large for ever.
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
        """Learn from a finished write how fast the backlog moves."""
        self.rate += SMOOTHING * (size / max(seconds, 0.001) - self.rate)

    def _reserve(self, submission_id: str, size: int, expected_at: float) -> None:
        """Renew a reservation in its place, or append one while the backlog has room."""
        old = self._backlog.get(submission_id)
        if old:
            self._count(old, -1)
        elif len(self._backlog) >= LONGEST_BACKLOG:
            return
        new = Reservation(submission_id, size, expected_at, has_returned=old is not None)
        self._backlog[submission_id] = new
        self._count(new, 1)

    def _advance(self, now: float) -> None:
        """Drop whoever did not come back in time, and sum up the others."""
        if now == self._now:
            return
        self._now = now
        for one in self.backlog():
            if one.expected_at + RESERVATION_KEPT_SECONDS <= now:
                del self._backlog[one.submission_id]
        self._waiting, self._kept = self._sums(self._backlog.values())

    def _ahead_of(self, reservation: Reservation) -> tuple[int, int]:
        others = self._backlog.values()
        return self._sums(takewhile(lambda other: other is not reservation, others))

    def _sums(self, reservations: Iterable[Reservation]) -> tuple[int, int]:
        """Sum the bytes of reservations, and of those that room is kept for."""
        waiting = kept = 0
        for one in reservations:
            waiting += one.size
            kept += one.size if self._is_kept(one) else 0
        return waiting, kept

    def _count(self, reservation: Reservation, sign: int) -> None:
        self._waiting += sign * reservation.size
        self._kept += sign * reservation.size if self._is_kept(reservation) else 0

    def _is_kept(self, reservation: Reservation) -> bool:
        return (
            reservation.has_returned or reservation.expected_at <= self._now + EXPECTED_SOON_SECONDS
        )
