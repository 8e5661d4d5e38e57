"""What an operator may ask of a batcher, in any order."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batching_demo.contracts.operations import BatcherSettings, Changes, Mode
from batching_demo.core.control import (
    LONGEST_RETRY_AFTER_SECONDS,
    SHORTEST_RETRY_AFTER_SECONDS,
    Control,
    ControlRefusedError,
    apply_changes,
    describe_changes,
)

SETTINGS = BatcherSettings(max_records=10, linger_seconds=5)


def test_a_flush_does_not_break_a_pause() -> None:
    control = Control()
    control.pause(1.0)
    with pytest.raises(ControlRefusedError, match="resume"):
        control.check_flush()


def test_a_pause_does_not_open_what_a_drain_has_closed() -> None:
    control = Control()
    control.drain(1.0)
    with pytest.raises(ControlRefusedError, match="draining"):
        control.check_pause()


def test_a_drain_ends_a_pause_but_not_a_stop() -> None:
    control = Control()
    control.pause(1.0)
    assert control.drain(2.0)
    assert control.stop(3.0)
    assert control.drain(4.0) is None
    assert (control.mode, control.since) == (Mode.STOPPING, 3.0)
    assert control.resume(5.0)
    assert (control.mode, control.is_closed) == (Mode.OPEN, False)


@given(
    st.lists(st.sampled_from(["pause", "resume", "drain", "stop"]), max_size=8),
    st.sampled_from(["pause", "resume", "drain", "stop"]),
)
def test_asking_twice_changes_nothing_the_second_time(before: list[str], asked: str) -> None:
    control = Control()
    for number, name in enumerate(before):
        getattr(control, name)(float(number))
    getattr(control, asked)(100.0)
    mode, since = control.mode, control.since
    assert getattr(control, asked)(200.0) is None
    assert (control.mode, control.since) == (mode, since)


def test_who_is_turned_away_stays_away_longer_the_longer_it_lasts() -> None:
    control = Control()
    assert control.retry_after(100.0) == 0.0
    control.pause(100.0)
    assert control.retry_after(100.0) == SHORTEST_RETRY_AFTER_SECONDS
    assert control.retry_after(130.0) == 30.0
    assert control.retry_after(1e6) == LONGEST_RETRY_AFTER_SECONDS


def test_only_what_is_given_changes() -> None:
    changed = apply_changes(SETTINGS, Changes(max_records=20))
    assert changed == BatcherSettings(max_records=20, linger_seconds=5)
    assert list(describe_changes(SETTINGS, changed)) == ["max_records 10 -> 20"]
    assert apply_changes(SETTINGS, Changes(linger_seconds=0.0)).linger_seconds == 0.0
    limited = apply_changes(SETTINGS, Changes(max_writes_per_second=5.0))
    assert apply_changes(limited, Changes(max_writes_per_second=0.0)) == SETTINGS


@pytest.mark.parametrize(
    "changes",
    [
        Changes(max_records=0),
        Changes(max_bytes=0),
        Changes(max_bytes=10**9),
        Changes(linger_seconds=-1.0),
        Changes(linger_seconds=math.inf),
        Changes(linger_seconds=math.nan),
        Changes(max_writes_per_second=-1.0),
        Changes(max_writes_per_second=math.inf),
        Changes(max_writes_per_second=math.nan),
    ],
)
def test_settings_that_no_batcher_works_with_are_refused(changes: Changes) -> None:
    with pytest.raises(ControlRefusedError):
        apply_changes(SETTINGS, changes)
