"""What the batcher hands to its own activities and to its next run."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from pydantic import TypeAdapter

from batching_demo.contracts.encoding import split
from batching_demo.contracts.messages import BatcherSettings, Busy, SubmissionHeader, Verdict
from batching_demo.core.admission import FIRST_GUESS_BYTES_PER_SECOND, Place
from batching_demo.core.buffer import Submission
from batching_demo.core.control import Control
from batching_demo.core.health import Health


@dataclass(frozen=True)
class BatchHeader:
    """A batch without its records, which travel beside it as bytes."""

    batch_id: str
    shard: int
    reason: str
    submissions: list[SubmissionHeader]
    attempt: int = 1
    rows_per_statement: int | None = None
    """Set where whole batches have run into the statement timeout."""
    oldest_at: float = 0.0
    """When its oldest record was received, in seconds since the epoch; 0 if that is not known."""
    version: int = 1


@dataclass(frozen=True)
class BatchResult:
    """How many records of a batch got which verdict; the verdicts themselves go to requesters."""

    written: int = 0
    duplicate: int = 0
    conflict: int = 0
    rejected: int = 0
    refused_by_postgres: int = 0
    """Those of the rejected that preparation had passed."""
    version: int = 1

    @property
    def all_refused(self) -> bool:
        """Whether Postgres refused every record that it was sent."""
        sent = self.written + self.duplicate + self.conflict + self.refused_by_postgres
        return self.refused_by_postgres == sent > 0


@dataclass(frozen=True)
class TurnedAway:
    """Submissions of one requester that there was no room for."""

    requester: str
    busy: Busy
    version: int = 1


def busy_answers(turned_away: Iterable[tuple[SubmissionHeader, float]]) -> list[TurnedAway]:
    """Join what to tell each requester; it comes back once, for all, after the longest wait."""
    waits: dict[str, dict[str, float]] = {}
    for header, wait in turned_away:
        if header.requester:
            waits.setdefault(header.requester, {})[header.submission_id] = wait
    return [
        TurnedAway(requester, Busy(list(waited), max(waited.values())))
        for requester, waited in waits.items()
    ]


@dataclass
class Totals:
    """What a batcher has done since it was started, over all its runs."""

    batches: dict[str, int] = field(default_factory=dict)
    """By flush reason."""
    verdicts: dict[str, int] = field(default_factory=dict)
    """Records by verdict."""
    turned_away: int = 0
    """Submissions answered busy, each time they were."""

    def add(self, reason: str, result: BatchResult) -> None:
        """Count one batch."""
        self.batches[reason] = self.batches.get(reason, 0) + 1
        for verdict in Verdict:
            before = self.verdicts.get(verdict.value, 0)
            self.verdicts[verdict.value] = before + getattr(result, verdict.value)

    def describe(self) -> str:
        """Say in a few words what has been done."""
        counts = [f"{number} {verdict}" for verdict, number in self.verdicts.items() if number]
        return f"{', '.join(counts) or 'nothing written'} in {sum(self.batches.values())} batches"


SETTINGS_MEMO = "settings"
"""Memo with the settings in force; it can be read while no worker runs."""


@dataclass(frozen=True)
class Done:
    """What an operator's request has done."""

    message: str
    changed: bool
    """False if everything was so already."""
    version: int = 1


@dataclass(frozen=True)
class BatcherStatus:
    """What a batcher answers when asked what it is doing."""

    shard: int
    mode: str
    mode_since: float
    """Seconds since the epoch; 0 if nobody ever changed it."""
    settings: BatcherSettings
    """In force."""
    buffered_records: int
    buffered_bytes: int
    oldest_at: float | None
    """When the oldest submission that waits was received, in seconds since the epoch."""
    in_flight: int
    """Batches."""
    in_flight_records: int
    in_line: int
    """Submissions turned away whose place is kept."""
    consecutive_failures: int
    last_error: str
    """With what to do about it; empty while all is well."""
    totals: Totals
    version: int = 1

    @property
    def open_records(self) -> int:
        """Records that were taken and have no verdict yet."""
        return self.buffered_records + self.in_flight_records


@dataclass(frozen=True)
class Carried:
    """What one run of a batcher leaves to the next, but for the records."""

    submissions: list[SubmissionHeader] = field(default_factory=list)
    received_at: list[float] = field(default_factory=list)
    line: list[Place] = field(default_factory=list)
    bytes_per_second: float = FIRST_GUESS_BYTES_PER_SECOND
    totals: Totals = field(default_factory=Totals)
    health: Health = field(default_factory=Health)
    control: Control = field(default_factory=Control)
    continued_by: str = ""
    """Why the run before ended: a `Cause` in the metrics."""
    version: int = 1


_carried = TypeAdapter(Carried)


def pack_carried(carried: Carried, submissions: Iterable[Submission]) -> bytes:
    """Encode what is carried: a line of JSON, then the records of all submissions."""
    header = json.dumps(asdict(carried), separators=(",", ":")).encode()
    return b"\n".join((header, b"".join(submission.records for submission in submissions)))


def unpack_carried(packed: bytes) -> tuple[Carried, list[Submission]]:
    """Decode what `pack_carried` made; a first run carries nothing."""
    if not packed:
        return Carried(), []
    header, _, records = packed.partition(b"\n")
    carried = _carried.validate_json(header)
    parts = split(carried.submissions, records)
    return carried, [
        Submission(header, part, received_at)
        for header, part, received_at in zip(
            carried.submissions, parts, carried.received_at, strict=True
        )
    ]
