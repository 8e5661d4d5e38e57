"""What an operator and a batcher send to each other: how it is started, steered and asked."""

from dataclasses import asdict, dataclass, field
from enum import StrEnum

from batching_demo.contracts.batches import BatchResult
from batching_demo.contracts.counts import count
from batching_demo.contracts.limits import MAX_BATCH_BYTES
from batching_demo.contracts.messages import shown_verdicts

SETTINGS_MEMO = "settings"
"""Memo of a batcher with its `BatcherSettings` in force. Unlike a query, it needs no worker."""
STATUS_QUERY = "status"
"""Query that returns a `BatcherStatus`."""
FLUSHES_KEPT = 5
"""The last flushes that a status shows. They are carried over, so they must stay few."""


class Update(StrEnum):
    """What an operator may ask of a batcher. Each is a workflow update that returns a `Done`."""

    FLUSH = "flush"
    PAUSE = "pause"
    RESUME = "resume"
    DRAIN = "drain"
    STOP = "stop"
    CONFIGURE = "configure"
    """Takes a `Changes`."""


class Mode(StrEnum):
    """How a batcher treats what comes and what waits."""

    OPEN = "open"
    PAUSED = "paused"
    """It takes submissions while there is room, and flushes nothing."""
    DRAINING = "draining"
    """It answers all submissions busy, and flushes all that waits."""
    STOPPING = "stopping"
    """As draining. The workflow ends once nothing is left."""


@dataclass(frozen=True)
class BatcherSettings:
    """When a batch is due, and how many writes may be in flight at a time."""

    max_records: int = 100
    """Records in a batch, at most."""
    max_bytes: int = MAX_BATCH_BYTES
    """Encoded bytes in a batch, at most, headers included."""
    linger_seconds: float = 20.0
    """How long the oldest buffered record may wait for its batch to fill."""
    max_in_flight: int = 2
    """Writes at a time."""
    max_writes_per_second: float = 0.0
    """The write budget. With one, a batch that is not full is due as soon as the budget allows
    another write; 0 is none, so that the batch waits for the linger."""


@dataclass(frozen=True)
class BatcherInput:
    """What a run of a batcher starts with, besides the state that an earlier run carries over."""

    shard: int
    settings: BatcherSettings


@dataclass(frozen=True)
class Changes:
    """Settings to change while a batcher runs; None leaves one as it is."""

    max_records: int | None = None
    max_bytes: int | None = None
    linger_seconds: float | None = None
    max_writes_per_second: float | None = None


@dataclass(frozen=True)
class Done:
    """What an operator's request has done."""

    message: str
    changed: bool
    """False if nothing was to be done."""


@dataclass(frozen=True)
class Flush:
    """A batch that was written, without its records."""

    reason: str
    """The `FlushReason`."""
    records: int
    bytes: int
    """Encoded, headers included."""
    at: float
    """When the batcher learned that it was written, in seconds since the epoch."""
    seconds: float
    """How long the write took."""


@dataclass
class Totals:
    """What a batcher has done since it was started, over all its runs."""

    batches: dict[str, int] = field(default_factory=dict)
    """Batches by flush reason."""
    verdicts: dict[str, int] = field(default_factory=dict)
    """Records by verdict."""
    turned_away: int = 0
    """Submissions that were answered busy. One that is answered busy twice counts twice."""
    last_flushes: list[Flush] = field(default_factory=list)
    """The newest is the last."""

    def add(self, flush: Flush, result: BatchResult) -> None:
        """Count one batch.

        Args:
            flush: The batch.
            result: The verdicts of its records.
        """
        self.last_flushes = [*self.last_flushes, flush][-FLUSHES_KEPT:]
        self.batches[flush.reason] = self.batches.get(flush.reason, 0) + 1
        self.add_verdicts(result)

    def add_verdicts(self, result: BatchResult) -> None:
        """Count the verdicts of a batch, or of the part of it that is decided."""
        for name, number in shown_verdicts(asdict(result)).items():
            self.verdicts[name] = self.verdicts.get(name, 0) + number

    def describe(self) -> str:
        """Return a short text with the verdicts and the number of batches."""
        counts = [f"{number} {verdict}" for verdict, number in self.verdicts.items() if number]
        batches = count(sum(self.batches.values()), "batch")
        return f"{', '.join(counts) or 'nothing written'} in {batches}"


@dataclass(frozen=True)
class BatcherStatus:
    """The answer to `STATUS_QUERY`: what a batcher does now, and what it has done."""

    shard: int
    mode: str
    """The `Mode`."""
    mode_since: float
    """When the mode was entered, in seconds since the epoch; 0 if nobody ever changed it."""
    settings: BatcherSettings
    """The settings in force."""
    buffered_records: int
    buffered_bytes: int
    oldest_at: float | None
    """When the oldest buffered submission was received, in seconds since the epoch."""
    in_flight: int
    """Batches in flight."""
    in_flight_records: int
    backlog: int
    """Reservations: submissions that found no room, and that room is kept for."""
    consecutive_failures: int
    """Writes in a row that failed as a whole."""
    last_error: str
    """What failed, and what to do about it; empty while all is well."""
    totals: Totals

    @property
    def open_records(self) -> int:
        """Records that were taken and have no verdict yet."""
        return self.buffered_records + self.in_flight_records
