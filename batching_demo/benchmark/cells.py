"""What is measured, and what came out."""

from dataclasses import dataclass, field

from batching_demo.contracts import WritePath


@dataclass(frozen=True)
class Cell:
    """One way to write a number of records."""

    path: WritePath
    workflows: int
    records_per_workflow: int
    max_records: int = 100
    shards: int = 1
    linger_seconds: float = 20.0
    max_open: int | None = None

    @property
    def records(self) -> int:
        """How many there are."""
        return self.workflows * self.records_per_workflow


@dataclass(frozen=True)
class Sample:
    """One run of a cell."""

    seconds: float
    """From the first start to the last verdict."""
    records_per_second: float
    batches: int
    commits: int
    """Transactions that wrote, of Postgres."""
    wal_bytes: int
    events_per_record: float
    """In histories, those of batchers included."""
    batcher_events_per_record: float
    workflow_tasks_per_record: float
    p50_seconds: float
    """From submission to verdict, over main workflows."""
    p99_seconds: float
    turned_away: int
    longest_batcher_history: int
    """Events, of any run."""
    peak_mib: dict[str, float] = field(default_factory=dict)
    """Resident memory by process."""
