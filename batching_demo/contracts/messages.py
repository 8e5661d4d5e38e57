"""What requesters and the batcher service send to each other."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import cached_property
from json.encoder import encode_basestring_ascii

from batching_demo.contracts.names import COMMON_SHARD, DEFAULT_RUN_LABEL
from batching_demo.contracts.targets import RECORDS_TARGET

LONGEST_PROBLEM_BYTES = 100
"""Of a problem as JSON, without reason and detail."""


def json_size(text: str) -> int:
    """Return the bytes of a text in JSON, where a character beyond ASCII takes 6 or 12."""
    return len(encode_basestring_ascii(text)) - len('""')


class Verdict(StrEnum):
    """The result for one record."""

    WRITTEN = "written"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    REJECTED = "rejected"
    UPDATED = "updated"
    """It has replaced the row of its key. Only a target with such a conflict rule has it."""
    STALE = "stale"
    """A newer record has the row of its key, and keeps it. Nothing is left to be done."""

    @property
    def is_stored(self) -> bool:
        """Whether Postgres has the key with the content of this record."""
        return self in (Verdict.WRITTEN, Verdict.DUPLICATE, Verdict.UPDATED)

    @property
    def is_dead_letter(self) -> bool:
        """Whether the record is kept as a dead letter."""
        return self in (Verdict.CONFLICT, Verdict.REJECTED)


VERDICT_BY_CODE = {verdict.value[0]: verdict for verdict in Verdict}
"""A verdict travels as one character: w, d, c, r, u or s."""
ALWAYS_SHOWN = (Verdict.WRITTEN, Verdict.DUPLICATE, Verdict.CONFLICT, Verdict.REJECTED)
"""People see the numbers of these verdicts even if they are 0, of the others only if any is."""


@dataclass(frozen=True)
class SubmissionHeader:
    """What can be known of a submission without decoding its records."""

    submission_id: str
    """Made once, and kept on every resubmission."""
    requester: str
    """Id of the workflow that gets the verdicts; empty if nobody does."""
    records: int
    """How many records there are."""
    length: int
    """Bytes of the encoded records."""
    source: str = ""
    """Where the records come from, such as the name of a file."""
    run_label: str = DEFAULT_RUN_LABEL
    """Which run of a starter they belong to."""
    shard: int = COMMON_SHARD
    """Which batcher it is for. Any shard may write any key."""
    malformed: str = ""
    """Why the batcher refuses all of it; empty if it does not. The bytes of a malformed submission
    are no records, but the beginning of what came."""
    target: str = RECORDS_TARGET
    """The name of the target that the records go to."""

    @cached_property
    def size(self) -> int:
        """Bytes that it takes as JSON."""
        values = (
            f"{self.submission_id}{self.requester}{self.source}{self.run_label}{self.malformed}"
            f"{self.records}{self.length}{self.shard}{self.target}"
        )
        return _NAMES_BYTES + json_size(values)


_EMPTY_HEADER = asdict(SubmissionHeader("", "", 0, 0, "", "", target=""))
_NAMES_BYTES = len(json.dumps(_EMPTY_HEADER, separators=(",", ":"))) - len("000")
"""Bytes of a header as JSON without its texts and numbers."""


@dataclass(frozen=True)
class Submission:
    """The records that one requester hands over together, encoded."""

    header: SubmissionHeader
    records: bytes
    received_at: float = 0.0
    """When the batcher or coalescer received it, in seconds since the epoch; 0 before that."""

    @property
    def size(self) -> int:
        """Bytes that it takes in a buffer and in a batch, header included."""
        return len(self.records) + self.header.size


@dataclass(frozen=True)
class Problem:
    """Why one record of a submission was not stored."""

    position: int
    """The place of the record in its submission, from 0."""
    reason: str
    """A short code, the same for all problems of a kind."""
    detail: str = ""
    """A text for people. It repeats nothing that the record holds."""
    sqlstate: str | None = None
    """The SQLSTATE, if Postgres refused the record."""

    @property
    def size(self) -> int:
        """Bytes that it takes as JSON, at most."""
        return LONGEST_PROBLEM_BYTES + json_size(self.reason + self.detail)


@dataclass(frozen=True)
class Verdicts:
    """The answer to one submission: the verdict of each of its records, in their order."""

    submission_id: str
    codes: str
    """A character of `VERDICT_BY_CODE` for each record."""
    batch_id: str | None = None
    """The batch that the submission was written in; None on the unbatched path."""
    problems: list[Problem] = field(default_factory=list)
    """One for each record that is not stored. Of thousands, the last have no details or are left
    out, so that they fit into a signal."""
    returned: list[str] = field(default_factory=list)
    """The columns that the target returns, for records in their order: the JSON text of an object,
    empty for a record that is not stored. There are none if the target returns no columns."""
    returned_from: int = 0
    """The position of the record that the first of `returned` is of. It is above 0 in a part of an
    answer that is too large for one message. All parts have the same codes and batch id, and
    together the columns of every record."""


@dataclass(frozen=True)
class Busy:
    """The answer to submissions that the batcher does not take now. It keeps none of their records.

    If they found no room, it keeps a reservation for them, so they get in by their order.
    """

    submission_ids: list[str]
    retry_after_seconds: float
    """How long to wait before they are submitted again."""


def shown_verdicts(numbers: Mapping[str, int]) -> dict[str, int]:
    """Return the numbers of records by verdict as people see them: see `ALWAYS_SHOWN`."""
    shown = {verdict.value: numbers.get(verdict.value, 0) for verdict in Verdict}
    return {name: number for name, number in shown.items() if number or name in ALWAYS_SHOWN}


def count_verdicts(answers: Iterable[Verdicts]) -> dict[str, int]:
    """Return the number of records for each verdict, 0 included."""
    codes = Counter[str]()
    for answer in answers:
        codes.update(answer.codes)
    return {verdict.value: codes[code] for code, verdict in VERDICT_BY_CODE.items()}
