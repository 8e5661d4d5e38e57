"""Who may come into a bounded buffer, and when those turned away should come back."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile

LARGEST_BUFFER_BYTES = 512 * 1024
LONGEST_LINE = 1_000
"""Submissions whose place in the line is remembered; later ones get none."""
SHORTEST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 300.0
PLACE_KEPT_SECONDS = 10.0
"""How long after the time to come back a place is kept."""
EXPECTED_SOON_SECONDS = 1.0
"""Room is kept for whoever comes back within this; for longer it would only lie idle."""
OPTIMISM = 0.7
"""Of the time that the line ahead should take: too early costs a message, too late costs idling."""
FIRST_GUESS_BYTES_PER_SECOND = 500_000.0
FLATTENING = 0.3
"""Weight of the newest write in the average rate."""


@dataclass
class Place:
    """One submission's place in the line."""

    submission_id: str
    size: int
    expected_at: float = 0.0
    came_back: bool = False
    """And found no room again: from now on room is kept for it."""


class Admission:
    """A line before a full buffer: whoever comes back finds room kept, in order of the line.

    Without it, a large submission would starve behind small ones that fit into every gap.
    """

    def __init__(
        self, line: Iterable[Place] = (), rate: float = FIRST_GUESS_BYTES_PER_SECOND
    ) -> None:
        self._line = {place.submission_id: place for place in line}
        # Sums over the line as of a moment, for thousands may ask in one task of the workflow.
        self._now = -math.inf
        self._waiting = self._kept = 0
        self.rate = rate
        """Bytes written per second, lately."""

    def __len__(self) -> int:
        return len(self._line)

    def line(self) -> list[Place]:
        """List the line, first place first."""
        return list(self._line.values())

    def ask(
        self, submission_id: str, size: int, buffered: int, now: float, *, at_least: float = 0.0
    ) -> float | None:
        """Ask for room: None admits; otherwise the seconds after which to ask again.

        Args:
            submission_id: keeps its place in the line however often it asks.
            size: bytes.
            buffered: bytes that wait already.
            now: seconds since the epoch.
            at_least: seconds that nobody should come back before.
        """
        self._advance(now)
        place = self._line.get(submission_id)
        waiting, kept = self._ahead_of(place) if place else (self._waiting, self._kept)
        # An empty buffer takes anything, so that nothing is too large for ever.
        fits = buffered + kept + size <= LARGEST_BUFFER_BYTES
        if fits or buffered + kept == 0:
            if place:
                self._count(self._line.pop(submission_id), -1)
            return None
        wait = OPTIMISM * (buffered + waiting + size) / self.rate
        wait = min(max(wait, at_least, SHORTEST_RETRY_SECONDS), LONGEST_RETRY_SECONDS)
        if place:
            self._count(place, -1)
        if place or len(self._line) < LONGEST_LINE:
            new = Place(submission_id, size, now + wait, came_back=place is not None)
            self._line[submission_id] = new
            self._count(new, 1)
        return wait

    def wrote(self, size: int, seconds: float) -> None:
        """Learn from a finished write how fast the line moves."""
        self.rate += FLATTENING * (size / max(seconds, 0.001) - self.rate)

    def _advance(self, now: float) -> None:
        """Drop whoever did not come back in time, and sum up the others."""
        if now == self._now:
            return
        self._now = now
        expired = [p for p in self._line.values() if p.expected_at + PLACE_KEPT_SECONDS <= now]
        for place in expired:
            del self._line[place.submission_id]
        self._waiting, self._kept = self._sums(self._line.values())

    def _ahead_of(self, place: Place) -> tuple[int, int]:
        return self._sums(takewhile(lambda other: other is not place, self._line.values()))

    def _sums(self, places: Iterable[Place]) -> tuple[int, int]:
        """Sum the bytes of places, and of those that room is kept for."""
        waiting = kept = 0
        for place in places:
            waiting += place.size
            kept += place.size if self._is_kept(place) else 0
        return waiting, kept

    def _count(self, place: Place, sign: int) -> None:
        self._waiting += sign * place.size
        self._kept += sign * place.size if self._is_kept(place) else 0

    def _is_kept(self, place: Place) -> bool:
        return place.came_back or place.expected_at <= self._now + EXPECTED_SOON_SECONDS
