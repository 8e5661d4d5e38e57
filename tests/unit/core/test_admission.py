"""A full buffer is bounded, and its line is served in order."""

from hypothesis import given
from hypothesis import strategies as st

from batching_demo.core.admission import (
    LARGEST_BUFFER_BYTES,
    LONGEST_BACKLOG,
    LONGEST_RETRY_SECONDS,
    RESERVATION_KEPT_SECONDS,
    SHORTEST_RETRY_SECONDS,
    Admission,
)

HALF = LARGEST_BUFFER_BYTES // 2


def test_what_fits_is_admitted() -> None:
    assert Admission().ask("a", HALF, buffered=HALF, now=0) is None


def test_what_does_not_fit_is_told_when_to_come_back() -> None:
    wait = Admission(rate=HALF / 10).ask("a", HALF, buffered=HALF + 1, now=0)
    assert wait is not None
    assert 13.9 < wait < 14.1


def test_the_time_to_come_back_has_bounds() -> None:
    full = LARGEST_BUFFER_BYTES
    assert Admission(rate=1e12).ask("a", 1, full, 0) == SHORTEST_RETRY_SECONDS
    assert Admission(rate=1e-3).ask("a", 1, full, 0) == LONGEST_RETRY_SECONDS
    assert Admission(rate=1e12).ask("a", 1, full, 0, at_least=60) == 60


def test_a_large_submission_does_not_starve_behind_small_ones() -> None:
    admission = Admission()
    assert admission.ask("large", HALF, buffered=HALF + 1, now=0) is not None
    # There is room for a small one, but it would take what the large one waits for.
    assert admission.ask("small", 100, buffered=HALF, now=1) is not None
    assert admission.ask("large", HALF, buffered=HALF, now=2) is None
    assert admission.ask("small", 100, buffered=HALF, now=3) is None


def test_no_room_lies_idle_for_who_comes_back_much_later() -> None:
    admission = Admission(rate=HALF / 100)
    wait = admission.ask("large", HALF, buffered=HALF + 1, now=0)
    assert wait is not None
    assert wait > 100
    assert admission.ask("small", HALF, buffered=HALF, now=1) is None
    # When it comes back, it is first.
    assert admission.ask("large", HALF, buffered=HALF + 1, now=wait) is not None
    assert admission.ask("small too", 100, buffered=HALF, now=wait + 0.1) is not None


def test_who_does_not_come_back_loses_the_place() -> None:
    admission = Admission(rate=1e12)
    assert admission.ask("gone", HALF, buffered=HALF + 1, now=0) is not None
    later = RESERVATION_KEPT_SECONDS + 2
    assert admission.ask("small", HALF, buffered=HALF, now=later) is None


def test_an_empty_buffer_takes_anything() -> None:
    assert Admission().ask("huge", 10 * LARGEST_BUFFER_BYTES, buffered=0, now=0) is None


def test_the_line_has_an_end() -> None:
    admission = Admission()
    for number in range(LONGEST_BACKLOG + 100):
        assert admission.ask(str(number), 100, buffered=LARGEST_BUFFER_BYTES, now=0) is not None
    assert len(admission) == LONGEST_BACKLOG


def test_the_rate_follows_the_writes() -> None:
    admission = Admission(rate=100)
    for _ in range(50):
        admission.wrote(1_000, seconds=1)
    assert 990 < admission.rate < 1_010


@given(st.lists(st.integers(1, LARGEST_BUFFER_BYTES), max_size=40))
def test_everyone_gets_in_within_bounds_and_a_few_rounds(sizes: list[int]) -> None:
    admission = Admission(rate=1e12)
    arrivals = [(str(number), size) for number, size in enumerate(sizes)]
    now = 0.0
    for name, size in arrivals:
        assert admission.ask(name, size, LARGEST_BUFFER_BYTES, now) is not None
    for _ in range(len(sizes)):
        now, buffered = now + SHORTEST_RETRY_SECONDS, 0
        for name, size in list(arrivals):
            if admission.ask(name, size, buffered, now) is None:
                buffered += size
                assert buffered <= LARGEST_BUFFER_BYTES
                arrivals.remove((name, size))
    assert arrivals == []
