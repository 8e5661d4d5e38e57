"""What a main workflow is started with, what its activities exchange, what it returns."""

from dataclasses import dataclass, field

from batching_demo.contracts.names import DEFAULT_RUN_LABEL, WritePath


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
    version: int = 1


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
class MainInput:
    """What one main workflow does, whole."""

    source: Source
    slice: Slice
    key_columns: list[str]
    write_path: WritePath = WritePath.BATCHED
    run_label: str = DEFAULT_RUN_LABEL
    key_prefix: str = ""
    """Set by comparisons, so that one file can be written on several paths."""
    max_records: int = 100
    """Most records of one submission."""
    shards: int = 1
    linger_seconds: float = 20.0
    """The batcher's, to know when an answer is overdue."""
    deadline_seconds: float | None = None
    """When to give up waiting for verdicts; what has none then may be stored all the same."""
    version: int = 1


@dataclass(frozen=True)
class PrepareInput:
    """All that `prepare_records` needs besides the slice's bytes."""

    source: Source
    slice: Slice
    key_columns: list[str]
    key_prefix: str
    workflow_id: str
    run_label: str
    max_records: int
    shards: int
    version: int = 1


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
    version: int = 1
