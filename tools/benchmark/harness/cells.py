"""What is measured end to end, and what came out."""

from dataclasses import dataclass

from batching_demo.contracts.messages import BatcherSettings
from batching_demo.contracts.names import WritePath


@dataclass(frozen=True)
class Cell:
    """One way to write a number of records."""

    path: WritePath | None
    """None is the floor: the same workflows without a write."""
    workflows: int
    records_per_workflow: int
    max_records: int = 100
    shards: int = 1
    linger_seconds: float = 20.0
    max_open: int | None = None

    @property
    def name(self) -> str:
        """What reports call the path."""
        return self.path.value if self.path else "nothing"

    @property
    def records(self) -> int:
        """How many there are."""
        return self.workflows * self.records_per_workflow

    @property
    def settings(self) -> BatcherSettings:
        """When batches of it are due, in a batcher or in a worker that coalesces."""
        return BatcherSettings(self.max_records, linger_seconds=self.linger_seconds)


@dataclass(frozen=True)
class Sample:
    """One run of a cell; events and workflow tasks are per record."""

    records_per_second: float
    """From the first start to the last verdict."""
    batches: int
    commits: int
    """Transactions that wrote, as Postgres numbers them."""
    wal_bytes: int
    main_events: float
    batcher_events: float
    workflow_tasks: float
    """Of main workflows."""
    p50_seconds: float
    """From submission to verdict, over main workflows."""
    p99_seconds: float
    peak_mib: dict[str, float]
    """Resident memory by process."""
