"""What the services, requesters and operators send to each other."""

from dataclasses import dataclass, field
from enum import StrEnum

from temporalio import workflow

from batching_demo.contracts.limits import MAX_BATCH_BYTES
from batching_demo.contracts.names import DEFAULT_RUN_LABEL


class Verdict(StrEnum):
    """What became of one record."""

    WRITTEN = "written"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    REJECTED = "rejected"


VERDICT_BY_CODE = {verdict.value[0]: verdict for verdict in Verdict}
"""Verdicts travel as one letter a record: w, d, c or r."""


@dataclass(frozen=True)
class SubmissionHeader:
    """What the batcher may know of a submission without reading its records."""

    submission_id: str
    requester: str
    """Workflow id of whoever gets the verdicts."""
    records: int
    length: int
    """Bytes of the encoded records."""
    source: str = ""
    run_label: str = DEFAULT_RUN_LABEL
    malformed: str = ""
    """Why the batcher refuses it whole; its bytes are then any text that shows what came."""
    version: int = 1


@dataclass(frozen=True)
class Problem:
    """Why one record of a submission was not stored."""

    position: int
    reason: str
    """A short code, the same for all problems of a kind."""
    detail: str = ""
    sqlstate: str | None = None


@dataclass(frozen=True)
class Verdicts:
    """The verdict of every record of one submission, in its order."""

    submission_id: str
    codes: str
    batch_id: str | None = None
    problems: list[Problem] = field(default_factory=list)
    version: int = 1


@dataclass(frozen=True)
class Busy:
    """Submissions that the batcher has no room for now; nothing of them is kept."""

    submission_ids: list[str]
    retry_after_seconds: float
    """When to submit them again; they are admitted in the order of being turned away."""
    version: int = 1


@dataclass(frozen=True)
class BatcherSettings:
    """When a batcher flushes, and how many writes it keeps in flight."""

    max_records: int = 100
    max_bytes: int = MAX_BATCH_BYTES
    linger_seconds: float = 20.0
    max_in_flight: int = 2
    version: int = 1


@dataclass(frozen=True)
class BatcherInput:
    """What a batcher workflow is started with."""

    shard: int
    settings: BatcherSettings
    version: int = 1


@workflow.defn(name="BatcherWorkflow")
class Batcher:
    """Typed stub of the batcher workflow, for those who start it."""

    @workflow.run
    async def run(self, batcher_input: BatcherInput, carried: bytes) -> None:
        """Collect submissions and write them in bulk, for ever."""
        raise NotImplementedError
