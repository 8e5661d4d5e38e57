"""What a retry of a dead letter is asked to do, what came of it, and how its record travels."""

import json
from dataclasses import asdict, dataclass

from batching_demo.contracts.messages import SubmissionHeader, Verdict


def retry_workflow_id(letter_id: int, attempt: int) -> str:
    """Name the workflow of one attempt, so that the same attempt is never made twice at once."""
    return f"retry-{letter_id}-{attempt}"


def retry_submission_id(letter_id: int, attempt: int) -> str:
    """Name the submission of one attempt."""
    return f"retry/{letter_id}/{attempt}"


@dataclass(frozen=True)
class RetryInput:
    """One attempt at storing the record of a dead letter; a corrected payload travels beside it."""

    letter_id: int
    attempt: int
    """The first was the one that made the record a letter."""
    linger_seconds: float
    key: str | None = None
    """In place of the letter's own."""
    version: int = 1


@dataclass(frozen=True)
class RetryResult:
    """The verdict of one attempt."""

    verdict: Verdict
    batch_id: str | None = None
    reason: str = ""
    detail: str = ""
    sqlstate: str | None = None
    kept_as: int | None = None
    """The letter of the record as it was submitted, if it was not stored."""
    version: int = 1

    @property
    def is_stored(self) -> bool:
        """Whether the record is in Postgres now."""
        return self.verdict in (Verdict.WRITTEN, Verdict.DUPLICATE)


def pack_submission(header: SubmissionHeader, records: bytes) -> bytes:
    """Encode a submission: a line of JSON, then its records."""
    return json.dumps(asdict(header), separators=(",", ":")).encode() + b"\n" + records


def unpack_submission(packed: bytes) -> tuple[SubmissionHeader, bytes]:
    """Decode what `pack_submission` made; the records are not looked into."""
    line, _, records = packed.partition(b"\n")
    return SubmissionHeader(**json.loads(line)), records
