"""What a batcher and its write activity send to each other."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from batching_demo.contracts.messages import (
    Busy,
    SubmissionHeader,
    Verdicts,
    count_verdicts,
)
from batching_demo.contracts.names import WritePath

WRITE_BATCH = "write_batch"
"""Activity that takes a `BatchHeader` and the joined records, and returns a `BatchResult`."""
REFUSED = "refused_by_postgres"
"""The reason of a record that Postgres refuses with an SQLSTATE."""
NOT_STORED = "not_stored"
"""The reason of a record that Postgres takes without an error, and stores no row with its key."""
UNKNOWN_TARGET = "unknown_target"
"""The reason of a record whose target the batcher worker does not know."""
RETURNED_TOO_LARGE = "returned_too_large"
"""The reason of the problem of a record that is stored, and whose returned columns do not fit."""
INCOMPLETE = "incomplete"
"""The reason of a record without a value for a column of the key, or that says what is newest."""
ANSWER_BUSY = "answer_busy"
"""Activity that takes a list[BusyAnswer] and the batcher's shard, and returns nothing."""


def describe_origin(write_path: str, shard: int | None) -> str:
    """Return where a batch comes from: the shard of a batcher, or else the write path.

    Args:
        write_path: A `WritePath`.
        shard: Of a batcher, or of a queue; None if there is none.
    """
    if shard is None:
        return write_path
    return f"shard {shard}" if write_path == WritePath.BATCHED else f"{write_path} shard {shard}"


@dataclass(frozen=True)
class BatchHeader:
    """A batch without its records, which travel beside it as bytes."""

    batch_id: str
    reason: str
    """The `FlushReason`."""
    submissions: list[SubmissionHeader]
    shard: int | None = None
    """The shard of the batcher; None for a coalescer."""
    attempt: int = 1
    """The highest attempt of its submissions. Above 1, some of the records may be stored."""
    rows_per_statement: int | None = None
    """Rows of each INSERT, set after statement timeouts; None for one INSERT of all rows."""
    oldest_at: float = 0.0
    """When its oldest record was received, in seconds since the epoch; 0 if unknown."""

    @property
    def records(self) -> int:
        """How many records it has."""
        return sum(submission.records for submission in self.submissions)


@dataclass(frozen=True)
class BatchResult:
    """How many records of a batch got which verdict.

    The verdicts themselves go to the requesters. The batcher needs only the numbers.
    """

    written: int = 0
    duplicate: int = 0
    conflict: int = 0
    rejected: int = 0
    updated: int = 0
    stale: int = 0
    refused_by_postgres: int = 0
    """Those of the rejected records that preparation had let pass, and Postgres did not store."""

    @classmethod
    def of(cls, answers: Sequence[Verdicts]) -> "BatchResult":
        """Return the number of records with each verdict in the answers of a batch."""
        problems = (problem for answer in answers for problem in answer.problems)
        refused = sum(problem.reason in (REFUSED, NOT_STORED) for problem in problems)
        return cls(**count_verdicts(answers), refused_by_postgres=refused)

    @property
    def all_refused(self) -> bool:
        """Whether Postgres was sent any record, and refused every one."""
        stored = self.written + self.duplicate + self.conflict + self.updated + self.stale
        return self.refused_by_postgres > 0 == stored


@dataclass(frozen=True)
class Decided:
    """The part of a batch that is written and answered, although the write of a target has failed.

    It is the second detail of the failure, after the SQLSTATE.
    """

    places: list[int] = field(default_factory=list)
    """The places of its submissions in the batch."""
    result: BatchResult = field(default_factory=BatchResult)


@dataclass(frozen=True)
class BusyAnswer:
    """A busy answer, and the workflow id of the requester that it goes to."""

    requester: str
    busy: Busy
