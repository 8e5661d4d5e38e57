"""What one run of a batcher carries over, as this code and as earlier code packed it."""

from dataclasses import replace

from batching_demo.batcher_service.batcher.carried import State, pack_state, unpack_state
from batching_demo.contracts.batches import BatchResult
from batching_demo.contracts.messages import Submission
from batching_demo.contracts.operations import BatcherInput, BatcherSettings, Flush, Mode, Totals
from batching_demo.core.admission import Admission, Reservation
from batching_demo.core.buffer import FlushReason
from batching_demo.core.control import Control
from batching_demo.core.flusher import Flusher, FlusherState
from batching_demo.core.health import Health
from tests.support.records import record, submission

FLUSH = Flush("age", 2, 300, 11.0, 0.5)
INPUT = BatcherInput(3, BatcherSettings(max_records=1))


def received(name: str, at: float) -> Submission:
    return replace(submission(name, [record(name)]), received_at=at)


def test_all_that_is_known_and_not_answered_is_carried() -> None:
    control = Control(Mode.PAUSED, since=10.0, flush_before=9.0)
    known = FlusherState(control, Health(failures=2, last_error="down"))
    flusher = Flusher(INPUT.settings, INPUT.shard, known)
    waiting = [received("a", 12.5), received("b", 13.5)]
    for one in waiting:
        flusher.buffer.add(one)
    flusher.take("in flight", FlushReason.AGE, 0.0)
    admission = Admission([Reservation("c", 7, 3.0, has_returned=True)], 1_000.0)
    state = State(flusher, admission, Totals({"age": 2}, {"written": 3}, 1, [FLUSH]), "")
    carried = unpack_state(INPUT, pack_state(state, "history"))
    assert list(carried.flusher.buffer) == waiting
    assert [carried.flusher.buffer.attempt(one) for one in waiting] == [2, 1]
    assert carried.flusher.in_flight == []
    assert (carried.flusher.shard, carried.flusher.buffer.settings) == (3, INPUT.settings)
    assert carried.flusher.state == known
    assert carried.admission.backlog() == admission.backlog()
    assert (carried.admission.rate, carried.totals) == (1_000.0, state.totals)
    assert carried.continued_by == "history"


def test_of_flushes_only_the_last_are_kept() -> None:
    totals = Totals()
    for records in range(1, 9):
        totals.add(replace(FLUSH, records=records), BatchResult(written=records))
    assert [flush.records for flush in totals.last_flushes] == [4, 5, 6, 7, 8]
    assert (totals.batches, totals.verdicts["written"]) == ({"age": 8}, 36)


def test_a_first_run_begins_anew() -> None:
    state = unpack_state(INPUT, b"")
    assert state.flusher.is_idle
    assert state.flusher.state == FlusherState()
    assert (len(state.admission), state.continued_by) == (0, "")


def test_fields_that_an_older_run_did_not_know_get_their_defaults() -> None:
    one = submission("s", [record("a")])
    packed = (
        b'{"submissions":[{"submission_id":"s","requester":"nobody","records":1,"length":%d}],'
        b'"received_at":[12.5]}\n' % one.header.length
    ) + one.records
    state = unpack_state(INPUT, packed)
    (carried,) = state.flusher.buffer
    assert carried.records == one.records
    assert (carried.header.source, carried.received_at) == ("", 12.5)
    assert state.flusher.buffer.attempt(carried) == 1
