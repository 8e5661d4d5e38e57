"""What requesters and the batcher service send to each other."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from batching_demo.contracts.names import COMMON_SHARD, DEFAULT_RUN_LABEL


class Verdict(StrEnum):
    """What became of one record."""

    WRITTEN = "written"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    REJECTED = "rejected"

    @property
    def is_stored(self) -> bool:
        """Whether the record is in Postgres."""
        return self in (Verdict.WRITTEN, Verdict.DUPLICATE)


VERDICT_BY_CODE = {verdict.value[0]: verdict for verdict in Verdict}
"""Verdicts travel as one character a record: w, d, c or r."""


@dataclass(frozen=True)
class SubmissionHeader:
    """What a batcher may know of a submission without reading its records."""

    submission_id: str
    """Made once, and kept on every resubmission."""
    requester: str
    """Workflow id of whoever gets the verdicts."""
    records: int
    length: int
    """Bytes of the encoded records."""
    source: str = ""
    run_label: str = DEFAULT_RUN_LABEL
    shard: int = COMMON_SHARD
    """Of the batcher that it is sent to. Any shard may write any key."""
    malformed: str = ""
    """Why the batcher refuses it whole. Its bytes are then any text that shows what came."""


_EMPTY_HEADER = asdict(SubmissionHeader("", "", 0, 0, "", ""))
_HEADER_BYTES = len(json.dumps(_EMPTY_HEADER, separators=(",", ":"))) + len("1234567")
"""What a header's field names and numbers add to its texts."""


@dataclass(frozen=True)
class Submission:
    """The records that one requester hands over together, as bytes that nobody looks into."""

    header: SubmissionHeader
    records: bytes
    received_at: float = 0.0
    """When a buffer got it, in seconds since the epoch; 0 before."""

    @property
    def size(self) -> int:
        """Bytes that it takes in a batch, header included."""
        header = self.header
        texts = len(header.submission_id) + len(header.requester)
        texts += len(header.source) + len(header.run_label)
        return len(self.records) + texts + _HEADER_BYTES


@dataclass(frozen=True)
class Problem:
    """Why one record of a submission was not stored."""

    position: int
    """Of the record in its submission, from 0."""
    reason: str
    """A short code, the same for all problems of a kind."""
    detail: str = ""
    sqlstate: str | None = None


@dataclass(frozen=True)
class Verdicts:
    """The verdict of every record of one submission, in its order."""

    submission_id: str
    codes: str
    """A character of `VERDICT_BY_CODE` for each record."""
    batch_id: str | None = None
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class Busy:
    """Submissions that the batcher has no room for now. It keeps nothing of them."""

    submission_ids: list[str]
    retry_after_seconds: float
    """When to submit them again. They are admitted in the order of being turned away."""


def count_verdicts(answers: Iterable[Verdicts]) -> dict[str, int]:
    """Count the records of answered submissions by verdict; every verdict has a count."""
    codes = Counter[str]()
    for answer in answers:
        codes.update(answer.codes)
    return {verdict.value: codes[code] for code, verdict in VERDICT_BY_CODE.items()}
