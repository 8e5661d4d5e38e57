"""What one run of a batcher carries over to the next."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace

from pydantic import TypeAdapter

from batching_demo.contracts.encoding import frame, join, split, unframe
from batching_demo.contracts.messages import Submission, SubmissionHeader
from batching_demo.contracts.operations import BatcherInput, Totals
from batching_demo.core.admission import FIRST_GUESS_BYTES_PER_SECOND, Admission, Reservation
from batching_demo.core.flusher import Flusher, FlusherState


@dataclass(frozen=True)
class Carried:
    """Everything but the records. New fields need defaults: an older run may have packed it."""

    submissions: list[SubmissionHeader] = field(default_factory=list)
    received_at: list[float] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)
    backlog: list[Reservation] = field(default_factory=list)
    bytes_per_second: float = FIRST_GUESS_BYTES_PER_SECOND
    totals: Totals = field(default_factory=Totals)
    flusher: FlusherState = field(default_factory=FlusherState)
    continued_by: str = ""
    """Why the run before ended; empty in a first run."""


@dataclass(frozen=True)
class State:
    """What a batcher has while it runs."""

    flusher: Flusher
    admission: Admission
    totals: Totals
    continued_by: str


_carried = TypeAdapter(Carried)


def pack_state(state: State, cause: str) -> bytes:
    """Return everything that is not answered, and what is known, for the next run."""
    waiting = list(state.flusher.requeue_in_flight())
    headers, records = join(waiting)
    carried = Carried(
        submissions=headers,
        received_at=[submission.received_at for submission in waiting],
        attempts=[state.flusher.buffer.attempt(submission) for submission in waiting],
        backlog=state.admission.backlog(),
        bytes_per_second=state.admission.rate,
        totals=state.totals,
        flusher=state.flusher.state,
        continued_by=cause,
    )
    return frame(asdict(carried), records)


def unpack_state(batcher_input: BatcherInput, packed: bytes) -> State:
    """Return the state that an earlier run packed; a first run gets no bytes, and begins anew."""
    header, records = unframe(packed)
    carried = _carried.validate_json(header) if header else Carried()
    flusher = Flusher(batcher_input.settings, batcher_input.shard, carried.flusher)
    submissions = _received(split(carried.submissions, records), carried.received_at)
    for submission, attempt in zip(submissions, carried.attempts, strict=True):
        flusher.buffer.add(submission, attempt)
    admission = Admission(carried.backlog, carried.bytes_per_second)
    return State(flusher, admission, carried.totals, carried.continued_by)


def _received(submissions: Iterable[Submission], at: Iterable[float]) -> Iterable[Submission]:
    return (
        replace(submission, received_at=received_at)
        for submission, received_at in zip(submissions, at, strict=True)
    )
