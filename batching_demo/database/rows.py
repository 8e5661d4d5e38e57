"""What one write stores, column by column."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from batching_demo.contracts.encoding import RecordColumns
from batching_demo.contracts.messages import SubmissionHeader
from batching_demo.contracts.names import WritePath


@dataclass(frozen=True)
class Stamp:
    """What all rows of one write have in common."""

    batch_id: UUID
    write_path: WritePath
    shard: int


@dataclass
class Rows:
    """The records of any number of submissions, a list for every column."""

    keys: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    payloads: list[str] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)
    rejections: list[str] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    submission_ids: list[str] = field(default_factory=list)
    requesters: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    run_labels: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.keys)

    def append(self, header: SubmissionHeader, columns: RecordColumns) -> None:
        """Add the records of one submission behind those that are there."""
        count = len(columns.keys)
        self.keys += columns.keys
        self.lines += columns.lines
        self.payloads += columns.payloads
        self.hashes += columns.hashes
        self.rejections += columns.rejections
        self.positions += range(count)
        self.submission_ids += [header.submission_id] * count
        self.requesters += [header.requester] * count
        self.sources += [header.source] * count
        self.run_labels += [header.run_label] * count

    def arrays(self, chosen: Sequence[int], stamp: Stamp) -> dict[str, object]:
        """Bind the chosen rows, in that order, to the arrays of the bulk INSERT."""
        return {
            "keys": [self.keys[row] for row in chosen],
            "lines": [self.lines[row] for row in chosen],
            "payloads": [self.payloads[row] for row in chosen],
            "hashes": [self.hashes[row] for row in chosen],
            "positions": [self.positions[row] for row in chosen],
            "submission_ids": [self.submission_ids[row] for row in chosen],
            "sources": [self.sources[row] for row in chosen],
            "run_labels": [self.run_labels[row] for row in chosen],
            "batch_id": stamp.batch_id,
            "write_path": stamp.write_path.value,
            "shard": stamp.shard,
        }

    def values(self, row: int, stamp: Stamp) -> dict[str, object]:
        """Bind one row to the INSERT of a single row."""
        return {
            "keys": self.keys[row],
            "lines": self.lines[row],
            "payloads": self.payloads[row],
            "hashes": self.hashes[row],
            "positions": self.positions[row],
            "submission_ids": self.submission_ids[row],
            "sources": self.sources[row],
            "run_labels": self.run_labels[row],
            "batch_id": stamp.batch_id,
            "write_path": stamp.write_path.value,
            "shard": stamp.shard,
        }
