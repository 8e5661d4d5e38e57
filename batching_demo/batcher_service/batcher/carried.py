"""What one run of a batcher carries over to the next."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace

from pydantic import TypeAdapter

from batching_demo.contracts.encoding import frame, join, split, unframe
from batching_demo.contracts.limits import KIB
from batching_demo.contracts.messages import Submission, SubmissionHeader
from batching_demo.contracts.operations import BatcherInput, Totals
from batching_demo.core.admission import FIRST_GUESS_BYTES_PER_SECOND, Admission, Reservation
from batching_demo.core.flusher import Flusher, FlusherState

LARGEST_CARRIED_BYTES = (2048 - 64) * KIB
"""The server takes 2 MiB at once, with settings and memo. A buffer and the batches in flight leave
some of it to the backlog."""


@dataclass(frozen=True)
class Carried:
    """The carried state as JSON has it, without the records.

    New fields need defaults, since the run that has packed it may have had older code.
    """

    submissions: list[SubmissionHeader] = field(default_factory=list)
    """The submissions that wait, oldest first."""
    received_at: list[float] = field(default_factory=list)
    """When each of them was received, in seconds since the epoch."""
    attempts: list[int] = field(default_factory=list)
    """The attempt that the next write of each of them is."""
    backlog: list[Reservation] = field(default_factory=list)
    bytes_per_second: float = FIRST_GUESS_BYTES_PER_SECOND
    totals: Totals = field(default_factory=Totals)
    flusher: FlusherState = field(default_factory=FlusherState)
    continued_by: str = ""
    """The `Cause` for which the run before ended; empty in a first run."""


@dataclass(frozen=True)
class State:
    """The same state as a run of a batcher uses it."""

    flusher: Flusher
    admission: Admission
    totals: Totals
    continued_by: str
    """The `Cause` for which the run before ended; empty in a first run."""


_carried = TypeAdapter(Carried)


def pack_state(state: State, cause: str) -> bytes:
    """Return the state as bytes for the next run.

    Batches in flight are requeued, since the next run does not see how their writes end.

    Args:
        state: The state of this run.
        cause: The `Cause` for which this run ends.
    """
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
    fields = asdict(carried)
    packed = frame(fields, records)
    over = len(packed) - LARGEST_CARRIED_BYTES
    if over <= 0:
        return packed
    # Whoever loses a reservation comes back all the same, and gets another one.
    while fields["backlog"] and over > 0:
        over -= len(frame(fields["backlog"].pop(), b""))
    return frame(fields, records)


def unpack_state(
    batcher_input: BatcherInput,
    packed: bytes,
    count: Callable[[Submission], Submission] = lambda submission: submission,
) -> State:
    """Return the state that the run before has packed, or a new state.

    Args:
        batcher_input: The shard and the settings.
        packed: What `pack_state` has returned; empty in the first run.
        count: Returns a submission that counts its size as the run does.

    Raises:
        ValueError: The bytes are no packed state.
    """
    header, records = unframe(packed)
    carried = _carried.validate_json(header) if header else Carried()
    flusher = Flusher(batcher_input.settings, batcher_input.shard, carried.flusher)
    submissions = _received(split(carried.submissions, records), carried.received_at)
    attempts = carried.attempts or [1] * len(carried.submissions)
    for submission, attempt in zip(map(count, submissions), attempts, strict=True):
        flusher.buffer.add(submission, attempt)
    admission = Admission(carried.backlog, carried.bytes_per_second)
    return State(flusher, admission, carried.totals, carried.continued_by)


def _received(submissions: Iterable[Submission], at: Iterable[float]) -> Iterable[Submission]:
    """Return submissions with the times when they were received, which do not travel in headers."""
    return (
        replace(submission, received_at=received_at)
        for submission, received_at in zip(submissions, at, strict=True)
    )
