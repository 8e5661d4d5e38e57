"""Who may come into a bounded buffer, and when those turned away should come back."""

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
        self._drop_expired(now)
        ahead = self._ahead_of(submission_id)
        soon = now + EXPECTED_SOON_SECONDS
        kept = sum(place.size for place in ahead if place.came_back or place.expected_at <= soon)
        # An empty buffer takes anything, so that nothing is too large for ever.
        fits = buffered + kept + size <= LARGEST_BUFFER_BYTES
        if fits or buffered + kept == 0:
            self._line.pop(submission_id, None)
            return None
        wait = OPTIMISM * (buffered + sum(place.size for place in ahead) + size) / self.rate
        wait = min(max(wait, at_least, SHORTEST_RETRY_SECONDS), LONGEST_RETRY_SECONDS)
        if submission_id in self._line:
            self._line[submission_id] = Place(submission_id, size, now + wait, came_back=True)
        elif len(self._line) < LONGEST_LINE:
            self._line[submission_id] = Place(submission_id, size, now + wait)
        return wait

    def wrote(self, size: int, seconds: float) -> None:
        """Learn from a finished write how fast the line moves."""
        self.rate += FLATTENING * (size / max(seconds, 0.001) - self.rate)

    def _ahead_of(self, submission_id: str) -> list[Place]:
        before = takewhile(lambda place: place.submission_id != submission_id, self._line.values())
        return list(before)

    def _drop_expired(self, now: float) -> None:
        expired = [p for p in self._line.values() if p.expected_at + PLACE_KEPT_SECONDS <= now]
        for place in expired:
            del self._line[place.submission_id]
