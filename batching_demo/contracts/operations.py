"""How an operator starts, asks and directs a batcher."""

from dataclasses import dataclass, field
from enum import StrEnum

from batching_demo.contracts.batches import BatchResult
from batching_demo.contracts.limits import MAX_BATCH_BYTES
from batching_demo.contracts.messages import Verdict

SETTINGS_MEMO = "settings"
"""Memo with the `BatcherSettings` in force. It can be read while no worker runs."""
STATUS_QUERY = "status"
"""Query that returns a `BatcherStatus`."""


class Update(StrEnum):
    """What an operator may ask of a batcher. Each is an update that returns a `Done`."""

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
    """It answers submissions busy, and flushes all that waits."""
    STOPPING = "stopping"
    """As draining; the workflow ends once nothing is left."""


@dataclass(frozen=True)
class BatcherSettings:
    """When a batch is due, and how many writes are in flight at a time."""

    max_records: int = 100
    max_bytes: int = MAX_BATCH_BYTES
    linger_seconds: float = 20.0
    """How long the oldest buffered record may wait."""
    max_in_flight: int = 2


@dataclass(frozen=True)
class BatcherInput:
    """What a batcher workflow is started with, besides what an earlier run carries over."""

    shard: int
    settings: BatcherSettings


@dataclass(frozen=True)
class Changes:
    """Settings to change while a batcher runs; None leaves one as it is."""

    max_records: int | None = None
    max_bytes: int | None = None
    linger_seconds: float | None = None


@dataclass(frozen=True)
class Done:
    """What an operator's request has done."""

    message: str
    changed: bool
    """False if everything was so already."""


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
        """Return what has been done, in a few words."""
        counts = [f"{number} {verdict}" for verdict, number in self.verdicts.items() if number]
        return f"{', '.join(counts) or 'nothing written'} in {sum(self.batches.values())} batches"


@dataclass(frozen=True)
class BatcherStatus:
    """What a batcher answers when it is asked what it is doing."""

    shard: int
    mode: str
    mode_since: float
    """Seconds since the epoch; 0 if nobody ever changed it."""
    settings: BatcherSettings
    """In force."""
    buffered_records: int
    buffered_bytes: int
    oldest_at: float | None
    """When the oldest buffered submission was received, in seconds since the epoch."""
    in_flight: int
    """Batches."""
    in_flight_records: int
    backlog: int
    """Submissions turned away that have a reservation."""
    consecutive_failures: int
    last_error: str
    """With what to do about it; empty while all is well."""
    totals: Totals

    @property
    def open_records(self) -> int:
        """Records that were taken and have no verdict yet."""
        return self.buffered_records + self.in_flight_records
