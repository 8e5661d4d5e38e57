"""When a batch is written, and what its end changes: in outages, repeats and on request."""

from collections.abc import Callable
from itertools import cycle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from batching_demo.contracts.messages import Submission, SubmissionHeader
from batching_demo.contracts.operations import BatcherSettings, Changes
from batching_demo.core.buffer import FlushReason
from batching_demo.core.control import Control
from batching_demo.core.flusher import Batch, Flusher
from batching_demo.core.health import LONGEST_RETRY_SECONDS, STATEMENT_TIMEOUT

SETTINGS = BatcherSettings(max_records=10, linger_seconds=5, max_in_flight=2)


def waiting(name: str, records: int = 1, at: float = 0.0) -> Submission:
    return Submission(SubmissionHeader(name, "requester", records, 10), bytes(10), at)


def flusher(*received_at: float, records: int = 1) -> Flusher:
    made = Flusher(SETTINGS)
    for number, at in enumerate(received_at):
        made.buffer.add(waiting(str(number), records, at))
    return made


def take(flusher: Flusher, now: float) -> Batch:
    reason = flusher.due(now)
    assert reason
    return flusher.take(f"batch at {now}", reason, now)


def test_nothing_is_due_while_nothing_waits() -> None:
    idle = flusher()
    assert (idle.due(1e9), idle.wake_at(1e9), idle.is_idle) == (None, None, True)


def test_a_batch_is_due_once_it_is_full_or_its_oldest_record_is_old() -> None:
    assert flusher(1.0).due(5.9) is None
    assert flusher(1.0).wake_at(1.0) == 6.0
    assert flusher(1.0).due(6.0) is FlushReason.AGE
    assert flusher(1.0, records=10).due(1.0) is FlushReason.RECORDS


def with_budget(writes_per_second: float, *received_at: float, records: int = 1) -> Flusher:
    made = flusher(*received_at, records=records)
    made.configure(Changes(max_writes_per_second=writes_per_second))
    return made


def test_with_a_budget_a_quiet_flusher_writes_at_once() -> None:
    assert with_budget(2, 7.0).due(7.0) is FlushReason.BUDGET


def test_a_batch_waits_until_the_budget_allows_another_write() -> None:
    busy = with_budget(2, 7.0)
    take(busy, 7.0)
    for at in (7.1, 7.2, 7.3):
        busy.buffer.add(waiting(f"at {at}", at=at))
    assert (busy.due(7.4), busy.wake_at(7.4)) == (None, 7.5)
    assert busy.due(7.5) is FlushReason.BUDGET
    assert take(busy, 7.5).header.records == 3


def test_a_full_batch_waits_for_no_budget() -> None:
    full = with_budget(0.1, 7.0, 7.0, records=10)
    take(full, 7.0)
    assert full.due(7.0) is FlushReason.RECORDS


def test_the_linger_ends_the_wait_for_a_small_budget() -> None:
    slow = with_budget(0.01, 1_000.0)
    take(slow, 1_000.0)
    slow.buffer.add(waiting("next", at=1_001.0))
    linger_ends = 1_001.0 + SETTINGS.linger_seconds
    assert slow.wake_at(1_001.0) == linger_ends
    assert slow.due(linger_ends) is FlushReason.AGE


def begin_times(rate: float, gaps: list[float], delays: list[float]) -> list[float]:
    """Have records come one by one that never fill a batch, and return when writes begin.

    Args:
        rate: The write budget.
        gaps: Seconds before each record.
        delays: Seconds by which each wake-up is late, over and over. Each write ends at once.
    """
    settings = BatcherSettings(max_records=1_000, max_writes_per_second=rate)
    made, now, begun, late = Flusher(settings), 1.0, list[float](), cycle(delays)
    for number, gap in enumerate(gaps):
        arrives = now + gap
        while (wake_at := made.wake_at(now)) is not None and wake_at <= arrives:
            now = max(now, wake_at) + next(late)
            begun.append(now)
            made.wrote(take(made, now), now, all_refused=False)
        now = max(now, arrives)
        made.buffer.add(waiting(str(number), at=now))
    return begun


@given(
    rate=st.floats(0.2, 50),
    gaps=st.lists(st.floats(0, 0.5), min_size=1, max_size=200),
    delays=st.lists(st.floats(0, 5), min_size=1, max_size=10),
)
@example(rate=0.3, gaps=[0.1] * 200, delays=[0.0, 3.5, *[0.0] * 20])
def test_any_window_has_only_as_many_writes_as_the_budget(
    rate: float, gaps: list[float], delays: list[float]
) -> None:
    begun = begin_times(rate, gaps, delays)
    for first in begun:
        assert sum(first <= at < first + 5 for at in begun) <= 5 * rate + 1


def test_wake_ups_that_are_late_do_not_make_fewer_writes_than_the_budget() -> None:
    begun = begin_times(2.0, gaps=[0.05] * 1_200, delays=[0.1])
    assert begun[-1] - begun[0] == pytest.approx((len(begun) - 1) / 2, rel=0.01)


def test_a_pause_holds_whatever_is_full_or_old() -> None:
    paused = flusher(0.0, records=100)
    paused.control.pause(1.0)
    assert (paused.due(1e9), paused.wake_at(1e9)) == (None, None)


def test_a_flush_takes_what_has_come_and_not_what_comes_later() -> None:
    flushed = flusher(1.0, 3.0)
    flushed.control.flush(2.0)
    assert flushed.due(2.0) is FlushReason.MANUAL
    later = flusher(2.5)
    later.control.flush(2.0)
    assert later.due(3.0) is None


@pytest.mark.parametrize("close", [Control.drain, Control.stop])
def test_what_is_closed_writes_all_at_once(close: Callable[[Control, float], str | None]) -> None:
    closed = flusher(0.5)
    close(closed.control, 1.0)
    assert closed.due(1.0) is FlushReason.DRAIN
    take(closed, 1.0)
    assert closed.due(1.0) is None


def test_no_more_writes_than_allowed_are_in_flight() -> None:
    busy = flusher(1.0, 1.0, 1.0, records=10)
    first, second = take(busy, 1.0), take(busy, 1.0)
    assert (busy.due(1.0), busy.wake_at(1.0)) == (None, None)
    busy.wrote(first, 2.0, all_refused=False)
    assert busy.due(2.0) is FlushReason.RECORDS
    assert busy.in_flight == [second]


def test_a_failed_batch_waits_at_the_front_and_one_write_probes_the_database() -> None:
    failing = flusher(0.0, 1.0, 2.0, records=10)
    first, second = take(failing, 3.0), take(failing, 3.0)
    failing.failed(second, "away", None, 3.0)
    failing.failed(first, "away", None, 3.0)
    assert failing.due(3.0) is None
    assert failing.wake_at(3.0) == failing.health.retry_at == 5.0
    probe = take(failing, 5.0)
    assert probe.header.submissions == first.header.submissions
    assert probe.header.attempt == 2
    assert failing.due(5.0) is None
    failing.wrote(probe, 6.0, all_refused=False)
    assert [take(failing, 6.0).header.attempt, take(failing, 6.0).header.attempt] == [2, 1]


def test_of_a_batch_that_is_partly_written_only_the_rest_is_written_again() -> None:
    partly = flusher(0.0, 0.0, 0.0, records=3)
    batch = take(partly, 5.0)
    partly.failed(batch, "one target fails", "42P01", 5.0, decided=[0, 2])
    assert [one.header.submission_id for one in partly.buffer] == ["1"]
    assert not partly.buffer.knows(waiting("0"))
    assert not partly.buffer.knows(waiting("2"))
    assert partly.buffer.records == 3
    assert partly.health.is_failing


def test_a_batch_that_its_submitter_repeats_is_forgotten() -> None:
    coalesced = flusher(0.0, records=10)
    batch = take(coalesced, 1.0)
    coalesced.failed(batch, "away", "57P01", 1.0, requeue=False)
    assert coalesced.is_idle
    assert coalesced.buffer.add(waiting("0", 10, 1.5), attempt=2)
    assert coalesced.due(1.5) is None
    assert take(coalesced, 2.0).header.attempt == 2


def test_what_is_in_flight_can_be_carried_over() -> None:
    carried = flusher(0.0, 0.0, records=10)
    take(carried, 1.0)
    assert [one.header.submission_id for one in carried.requeue_in_flight()] == ["0", "1"]
    assert [carried.buffer.attempt(one) for one in carried.buffer] == [2, 1]
    assert carried.in_flight == []


def test_statements_are_halved_after_statement_timeouts() -> None:
    slow = flusher(0.0, records=8)
    now, sizes = 5.0, []
    for _ in range(5):
        batch = take(slow, now)
        sizes.append(batch.header.rows_per_statement)
        slow.failed(batch, "slow", STATEMENT_TIMEOUT, now)
        now += LONGEST_RETRY_SECONDS
    assert sizes == [None, None, None, 4, 2]


@given(st.integers(1, 12), st.floats(0, 100), st.booleans())
def test_when_it_wakes_up_a_write_starts(records: int, now: float, failed: bool) -> None:
    sleeping = flusher(50.0, records=records)
    if failed:
        sleeping.health.failed("away", None, now)
    wake_at = sleeping.wake_at(now)
    assert wake_at is not None
    assert sleeping.due(max(now, wake_at))


class FlusherMachine(RuleBasedStateMachine):
    """A database that fails and recovers, and requesters that submit again, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.flusher = Flusher(SETTINGS)
        self.now = 0.0
        self.accepted: dict[str, Submission] = {}
        self.written: list[str] = []
        self.forgotten: list[str] = []
        self.attempts: dict[str, int] = {}
        """By submission, which attempt the next write is."""
        self.is_away = False

    @rule(records=st.integers(1, 12))
    def arrive(self, records: int) -> None:
        one = waiting(f"submission {len(self.accepted)}", records, self.now)
        assert self.flusher.buffer.add(one)
        self.accepted[one.header.submission_id] = one

    @precondition(lambda self: self.accepted)
    @rule(data=st.data())
    def arrive_again(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.accepted)))
        settled = name in self.written or name in self.forgotten
        assert self.flusher.buffer.add(self.accepted[name]) is settled
        for ended in (self.written, self.forgotten):
            if name in ended:
                ended.remove(name)
                self.attempts.pop(name, None)

    @rule(seconds=st.floats(0.1, 70))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def sleep_until_woken(self) -> None:
        wake_at = self.flusher.wake_at(self.now)
        if wake_at is not None:
            self.now = max(self.now, wake_at)
            assert self.flusher.due(self.now)

    @rule(is_away=st.booleans())
    def change_the_database(self, is_away: bool) -> None:
        self.is_away = is_away

    @rule(name=st.sampled_from(["pause", "resume", "drain"]))
    def ask(self, name: str) -> None:
        getattr(self.flusher.control, name)(self.now)

    @precondition(lambda self: self.flusher.due(self.now))
    @rule()
    def start(self) -> None:
        batch = take(self.flusher, self.now)
        names = [header.submission_id for header in batch.header.submissions]
        assert batch.header.attempt == max(self.attempts.get(name, 1) for name in names)
        assert batch.header.records <= SETTINGS.max_records or len(names) == 1

    @precondition(lambda self: self.flusher.in_flight)
    @rule(data=st.data(), requeue=st.booleans(), sqlstate=st.sampled_from([None, "57P03", "40001"]))
    def end(self, data: st.DataObject, requeue: bool, sqlstate: str | None) -> None:
        batch = data.draw(st.sampled_from(self.flusher.in_flight))
        names = [header.submission_id for header in batch.header.submissions]
        if not self.is_away:
            self.flusher.wrote(batch, self.now, all_refused=False)
            assert not self.flusher.health.is_failing
            self.written += names
            return
        self.flusher.failed(batch, "away", sqlstate, self.now, requeue=requeue)
        for name in names:
            attempt = self.attempts.get(name, 1)
            self.attempts[name] = attempt + 1 if sqlstate == "40001" else max(attempt, 2)
        assert self.flusher.due(self.now) is None
        assert self.now < self.flusher.health.retry_at <= self.now + LONGEST_RETRY_SECONDS
        if not requeue:
            self.forgotten += names
            for name in names:
                del self.attempts[name]

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        buffered = [one.header.submission_id for one in self.flusher.buffer]
        flying = [
            header.submission_id
            for batch in self.flusher.in_flight
            for header in batch.header.submissions
        ]
        assert sorted(buffered + flying + self.written + self.forgotten) == sorted(self.accepted)

    @invariant()
    def no_more_is_in_flight_than_allowed(self) -> None:
        assert len(self.flusher.in_flight) <= SETTINGS.max_in_flight


TestFlusherMachine = FlusherMachine.TestCase
