"""Cells, which are measured end to end, and the samples that they give."""

from dataclasses import dataclass

from batching_demo.contracts.operations import BatcherSettings


@dataclass(frozen=True)
class Cell:
    """One combination of path, load and settings."""

    path: str | None
    """A write path, or `DIRECT`. None is the floor: the same workflows without a write."""
    workflows: int
    """Or requests, on the direct path."""
    records_per_workflow: int
    max_records: int = 100
    shards: int = 1
    linger_seconds: float = 20.0
    max_open: int | None = None
    max_writes_per_second: float = 0.0

    @property
    def name(self) -> str:
        """The name of the path in reports."""
        return str(self.path) if self.path else "nothing"

    @property
    def records(self) -> int:
        """The number of records of all workflows."""
        return self.workflows * self.records_per_workflow

    @property
    def settings(self) -> BatcherSettings:
        """The settings of the batchers, or of the worker that coalesces."""
        return BatcherSettings(
            self.max_records,
            linger_seconds=self.linger_seconds,
            max_writes_per_second=self.max_writes_per_second,
        )


@dataclass(frozen=True)
class Sample:
    """The figures of one run of a cell. Events, workflow tasks and actions are per record."""

    records_per_second: float
    """Measured from the first start to the last verdict."""
    batches: int
    commits: int
    """Transactions with an id, which are those that wrote."""
    wal_bytes: int
    main_events: float
    batcher_events: float
    workflow_tasks: float
    """Workflow tasks of main workflows."""
    actions: float
    """That Temporal Cloud bills."""
    p50_seconds: float
    """Time from submission to verdict, over main workflows."""
    p99_seconds: float
    peak_mib: dict[str, float]
    """Peak of resident memory by process."""


@dataclass(frozen=True)
class BegunBatch:
    """A batch that was written."""

    began_at: float
    """Seconds since the epoch."""
    records: int


@dataclass(frozen=True)
class Arrivals:
    """The figures of workflows that came at a constant rate."""

    verdict_seconds: list[float]
    """From submission to verdict, sorted."""
    batches: list[BegunBatch]
    """In the order they began."""

    def most_within(self, seconds: float) -> int:
        """Return the most batches that began in any window of some seconds."""
        times = [batch.began_at for batch in self.batches]
        return max(sum(begin <= at < begin + seconds for at in times) for begin in times)
