"""The records of one write, a list for every value that a target may store."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Integer, LargeBinary, SmallInteger, Text, Uuid
from sqlalchemy.types import TypeEngine

from batching_demo.contracts.encoding import RecordColumns
from batching_demo.contracts.messages import SubmissionHeader
from batching_demo.contracts.names import WritePath

HEADER_VALUES: Mapping[str, type[TypeEngine[Any]]] = {
    "submission_id": Text,
    "requester": Text,
    "source": Text,
    "run_label": Text,
}
"""Fields of a submission's header that a column of the same name gets."""
RECORD_VALUES: Mapping[str, type[TypeEngine[Any]]] = {
    "idempotency_key": Text,
    "line": BigInteger,
    "payload": Text,
    "content_hash": LargeBinary,
    "position": Integer,
    **HEADER_VALUES,
}
"""What every record has, and the type that it is sent as."""
BATCH_VALUES: Mapping[str, type[TypeEngine[Any]]] = {
    "batch_id": Uuid,
    "write_path": Text,
    "shard": SmallInteger,
}
"""Fields of `BatchInfo` that a column of the same name gets."""


@dataclass(frozen=True)
class BatchInfo:
    """What all rows of one batch have in common."""

    batch_id: UUID
    write_path: WritePath
    shard: int | None = None
    """Of the batcher; None where no batcher is involved."""


class Rows:
    """The records of any number of submissions, a list for every value."""

    def __init__(self) -> None:
        self.values: dict[str, list[Any]] = {name: [] for name in RECORD_VALUES}
        """Lists of equal length, by the names of `RECORD_VALUES`."""
        self.rejections: list[str] = []

    def __len__(self) -> int:
        return len(self.rejections)

    def append(self, header: SubmissionHeader, columns: RecordColumns) -> None:
        """Add the records of one submission behind those that are there."""
        count = len(columns.keys)
        self.values["idempotency_key"] += columns.keys
        self.values["line"] += columns.lines
        self.values["payload"] += columns.payloads
        self.values["content_hash"] += columns.hashes
        self.values["position"] += range(count)
        for name in HEADER_VALUES:
            self.values[name] += [getattr(header, name)] * count
        self.rejections += columns.rejections

    @property
    def keys(self) -> list[str]:
        """The idempotency key of each row; empty where a rejected record has none."""
        return self.values["idempotency_key"]
