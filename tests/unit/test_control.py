"""What an operator may ask of a batcher, in any order, and when a batch is due then."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batching_demo.contracts.messages import Submission, SubmissionHeader
from batching_demo.contracts.operations import BatcherSettings, Changes, Mode
from batching_demo.core.buffer import Buffer, FlushReason
from batching_demo.core.control import (
    LONGEST_PATIENCE_SECONDS,
    SHORTEST_PATIENCE_SECONDS,
    Control,
    ControlRefusedError,
    apply_changes,
    describe_changes,
)

SETTINGS = BatcherSettings(max_records=10, linger_seconds=5)


def buffer(*received_at: float, records: int = 1) -> Buffer:
    return Buffer(
        SETTINGS,
        [
            Submission(SubmissionHeader(str(number), "requester", records, 10), bytes(10), at)
            for number, at in enumerate(received_at)
        ],
    )


def test_open_it_flushes_as_its_settings_say() -> None:
    control = Control()
    assert control.due(buffer(1.0), now=5.9) is None
    assert control.due(buffer(1.0), now=6.0) is FlushReason.AGE
    assert control.due(buffer(1.0, records=10), now=1.0) is FlushReason.RECORDS
    assert control.due_at(buffer(1.0)) == 6.0


def test_paused_nothing_is_due_ever() -> None:
    control = Control()
    assert control.pause(1.0)
    assert control.due(buffer(0.0, records=100), now=1e9) is None
    assert control.due_at(buffer(0.0)) is None


def test_a_flush_takes_what_has_come_and_not_what_comes_later() -> None:
    control = Control()
    control.flush(2.0)
    assert control.due(buffer(1.0, 3.0), now=2.0) is FlushReason.MANUAL
    assert control.due(buffer(2.5), now=3.0) is None
    assert control.due(buffer(), now=2.0) is None


def test_a_flush_does_not_break_a_pause() -> None:
    control = Control()
    control.pause(1.0)
    with pytest.raises(ControlRefusedError, match="resume"):
        control.check_flush()


@pytest.mark.parametrize("request_", [Control.drain, Control.stop])
def test_draining_all_is_due_with_reason_drain(request_: object) -> None:
    control = Control()
    assert callable(request_)
    request_(control, 1.0)
    assert control.is_closed
    assert control.due(buffer(0.5), now=1.0) is FlushReason.DRAIN
    assert control.due(buffer(), now=1.0) is None


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
    assert control.patience(100.0) == 0.0
    control.pause(100.0)
    assert control.patience(100.0) == SHORTEST_PATIENCE_SECONDS
    assert control.patience(130.0) == 30.0
    assert control.patience(1e6) == LONGEST_PATIENCE_SECONDS


def test_only_what_is_given_changes() -> None:
    changed = apply_changes(SETTINGS, Changes(max_records=20))
    assert changed == BatcherSettings(max_records=20, linger_seconds=5)
    assert list(describe_changes(SETTINGS, changed)) == ["max_records 10 -> 20"]
    assert apply_changes(SETTINGS, Changes(linger_seconds=0.0)).linger_seconds == 0.0


@pytest.mark.parametrize(
    "changes",
    [
        Changes(max_records=0),
        Changes(max_bytes=0),
        Changes(max_bytes=10**9),
        Changes(linger_seconds=-1.0),
        Changes(linger_seconds=math.inf),
        Changes(linger_seconds=math.nan),
    ],
)
def test_settings_that_no_batcher_works_with_are_refused(changes: Changes) -> None:
    with pytest.raises(ControlRefusedError):
        apply_changes(SETTINGS, changes)
