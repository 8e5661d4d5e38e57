"""The buffer loses nothing, doubles nothing, keeps its bounds and its order."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from batching_demo.contracts.messages import Submission, SubmissionHeader
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.core.buffer import Buffer, FlushReason

SETTINGS = BatcherSettings(max_records=10, max_bytes=3_000, linger_seconds=5)


def waiting(name: str, records: int = 1, length: int = 10, at: float = 0.0) -> Submission:
    return Submission(SubmissionHeader(name, "requester", records, length), bytes(length), at)


def filled(submissions: list[Submission], settings: BatcherSettings = SETTINGS) -> Buffer:
    buffer = Buffer(settings)
    for submission in submissions:
        assert buffer.add(submission)
    return buffer


def test_an_empty_buffer_is_never_due() -> None:
    buffer = Buffer(SETTINGS)
    assert buffer.due_at() is None
    assert buffer.due(1e9) is None
    assert buffer.take() == []


def test_records_make_a_batch_due() -> None:
    buffer = filled([waiting(str(number)) for number in range(9)])
    assert buffer.due(0) is None
    buffer.add(waiting("9"))
    assert buffer.due(0) is FlushReason.RECORDS


def test_bytes_make_a_batch_due() -> None:
    buffer = filled([waiting("a", length=3_000)])
    assert buffer.due(0) is FlushReason.BYTES


def test_linger_counts_from_the_oldest_and_later_ones_do_not_restart_it() -> None:
    buffer = filled([waiting("a", at=100.0)])
    buffer.add(waiting("b", at=104.0))
    assert buffer.due_at() == 105.0
    assert buffer.due(104.9) is None
    assert buffer.due(105.0) is FlushReason.AGE


def test_one_that_cannot_wait_for_the_linger_makes_a_batch_due() -> None:
    buffer = filled([waiting("a", records=10, at=100.0)])
    buffer.add(waiting("b", at=101.0), due_by=102.0)
    assert (buffer.due_at(), buffer.take()[0].header.submission_id) == (102.0, "a")
    assert buffer.due(102.0) is FlushReason.AGE
    buffer.take()
    buffer.add(waiting("c", at=103.0))
    assert buffer.due_at() == 108.0


def test_without_linger_a_record_is_due_at_once() -> None:
    buffer = filled([waiting("a", at=100.0)], settings=BatcherSettings(linger_seconds=0))
    assert buffer.due(100.0) is FlushReason.IDLE


def test_a_batch_is_whole_submissions() -> None:
    buffer = filled([waiting("a", records=6), waiting("b", records=6)])
    assert [taken.header.submission_id for taken in buffer.take()] == ["a"]
    assert buffer.records == 6


def test_a_submission_over_the_cap_is_a_batch_by_itself() -> None:
    buffer = filled([waiting("big", records=500), waiting("small")])
    assert [taken.header.submission_id for taken in buffer.take()] == ["big"]


def test_a_submission_is_not_buffered_twice_while_it_waits_or_is_written() -> None:
    buffer = filled([waiting("a")])
    assert not buffer.add(waiting("a"))
    taken = buffer.take()
    assert not buffer.add(waiting("a"))
    buffer.ack(taken)
    assert buffer.add(waiting("a"))


def test_a_submission_that_comes_again_is_known_to_be_an_attempt_later() -> None:
    buffer = filled([waiting("a"), waiting("b")])
    assert not buffer.add(waiting("a"), attempt=3)
    assert [buffer.attempt(one) for one in buffer] == [3, 1]


def test_a_batch_that_is_requeued_counts_as_tried() -> None:
    buffer = filled([waiting("a")])
    taken = buffer.take()
    assert buffer.attempt(taken[0]) == 1
    buffer.requeue(taken)
    assert buffer.attempt(taken[0]) == 2


def test_an_outage_is_one_attempt_however_long_it_lasts() -> None:
    buffer = filled([waiting("a")])
    for counts, attempt in ((False, 2), (False, 2), (True, 3), (False, 3), (True, 4)):
        taken = buffer.take()
        buffer.requeue(taken, counts=counts)
        assert buffer.attempt(taken[0]) == attempt


def test_batches_that_fail_together_come_back_oldest_first() -> None:
    submissions = [waiting(str(number), records=10, at=float(number)) for number in range(3)]
    buffer = filled(submissions)
    older, newer = buffer.take(), buffer.take()
    buffer.requeue(older)
    buffer.requeue(newer)
    assert list(buffer) == submissions
    assert buffer.due_at() == 5.0


@given(st.lists(st.tuples(st.integers(1, 15), st.integers(1, 4_000)), max_size=60))
def test_taking_everything_keeps_order_and_bounds(sizes: list[tuple[int, int]]) -> None:
    submissions = [
        waiting(str(number), records, length) for number, (records, length) in enumerate(sizes)
    ]
    buffer = filled(submissions)
    batches = []
    while batch := buffer.take():
        batches.append(batch)
        if len(batch) > 1:
            assert sum(one.header.records for one in batch) <= SETTINGS.max_records
            assert sum(one.size for one in batch) <= SETTINGS.max_bytes
    assert [one for batch in batches for one in batch] == submissions
    assert (buffer.records, buffer.bytes) == (0, 0)


class BufferMachine(RuleBasedStateMachine):
    """Any order of arriving, taking, acknowledging and requeueing."""

    def __init__(self) -> None:
        super().__init__()
        self.buffer = Buffer(SETTINGS)
        self.taken: list[list[Submission]] = []
        self.waits: list[Submission] = []
        self.acked: list[Submission] = []
        self.number = 0

    @rule(records=st.integers(1, 12), length=st.integers(1, 2_000))
    def arrive(self, records: int, length: int) -> None:
        one = waiting(str(self.number), records, length, at=float(self.number))
        self.number += 1
        assert self.buffer.add(one)
        self.waits.append(one)

    @precondition(lambda self: self.waits)
    @rule()
    def take(self) -> None:
        batch = self.buffer.take()
        assert batch == self.waits[: len(batch)]
        assert batch
        del self.waits[: len(batch)]
        self.taken.append(batch)

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def ack(self, data: st.DataObject) -> None:
        batch = self.taken.pop(data.draw(st.integers(0, len(self.taken) - 1)))
        self.buffer.ack(batch)
        self.acked += batch

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def requeue(self, data: st.DataObject) -> None:
        batch = self.taken.pop(data.draw(st.integers(0, len(self.taken) - 1)))
        self.buffer.requeue(batch)
        self.waits = sorted(batch + self.waits, key=lambda one: one.received_at)

    @precondition(lambda self: self.waits)
    @rule()
    def arrive_again(self) -> None:
        assert not self.buffer.add(self.waits[0])

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        assert list(self.buffer) == self.waits
        assert self.buffer.records == sum(one.header.records for one in self.waits)
        assert self.buffer.bytes == sum(one.size for one in self.waits)
        everything = [*self.waits, *(one for batch in self.taken for one in batch), *self.acked]
        assert len(everything) == self.number


TestBufferMachine = BufferMachine.TestCase
