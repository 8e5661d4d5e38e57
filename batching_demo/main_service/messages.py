"""What a main workflow is started with, and what it returns."""

from dataclasses import dataclass, field

from batching_demo.contracts.names import DEFAULT_RUN_LABEL, WritePath
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.contracts.targets import RECORDS_TARGET

LOAD_RECORDS = "load_records"
"""Activity that takes a `Source` and a `Slice`, and returns the slice's bytes."""
PREPARE_RECORDS = "prepare_records"
"""Activity that takes a `MainInput`, a workflow id and the slice's bytes; returns packed
submissions."""


@dataclass(frozen=True)
class Source:
    """An input file whose structure has been checked."""

    path: str
    name: str
    """Base name, for people; the digest is the identity."""
    digest: str
    """SHA-256 of the content, hex."""
    format: str
    """csv or ndjson."""
    delimiter: str = ","
    columns: list[str] = field(default_factory=list)
    """Names in the header of a CSV file, in order."""
    encoding: str = "utf-8"


@dataclass(frozen=True)
class Slice:
    """The consecutive records that one main workflow takes."""

    position: int
    """Index of its first record in the file, from 0."""
    records: int
    offset: int
    """First byte in the file."""
    length: int
    """Bytes."""
    first_line: int
    """Line of its first byte, from 1, as an editor shows it."""
    crc32: int
    """Of its bytes, so that a file changed since is noticed."""


@dataclass(frozen=True)
class RunOptions:
    """How a run of the starter treats its input. The main workflows get all of it."""

    key_columns: list[str] = field(default_factory=list)
    """Whose values make the key; without any, the position in the file does."""
    records_per_workflow: int = 1
    settings: BatcherSettings = field(default_factory=BatcherSettings)
    """The batchers': most records of a submission, and when an answer is overdue."""
    shards: int = 1
    write_path: WritePath = WritePath.BATCHED
    run_label: str = DEFAULT_RUN_LABEL
    key_prefix: str = ""
    """Set by comparisons, so that one file can be written on several paths."""
    deadline_seconds: float | None = None
    """When to stop waiting for verdicts; records without one may be stored all the same."""
    database: str = ""
    """The identity of the database that the run is for, so that another one has other workflows."""
    target: str = RECORDS_TARGET
    """The name of the target that records go to. The key of any but `records` is in the payload."""

    @property
    def is_own(self) -> bool:
        """Whether records go to a table of the user's own."""
        return self.target != RECORDS_TARGET


@dataclass(frozen=True)
class MainInput:
    """What one main workflow does, whole."""

    source: Source
    slice: Slice
    options: RunOptions


@dataclass(frozen=True)
class MainResult:
    """Counts by verdict of one main workflow, and how long its verdicts took."""

    written: int = 0
    duplicate: int = 0
    conflict: int = 0
    rejected: int = 0
    verdict_seconds: float = 0.0
    """From the first submission to the last verdict."""
    batch_ids: list[str] = field(default_factory=list)
    updated: int = 0
    stale: int = 0
