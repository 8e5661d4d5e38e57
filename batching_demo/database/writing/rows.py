"""The rows of one write, with a list for each value that a column may get."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Integer, LargeBinary, SmallInteger, Text, Uuid
from sqlalchemy.types import TypeEngine

from batching_demo.contracts.encoding import RecordColumns
from batching_demo.contracts.messages import SubmissionHeader
from batching_demo.contracts.names import WritePath
from batching_demo.database.encoding import Encoding

HEADER_VALUES: Mapping[str, type[TypeEngine[Any]]] = {
    "submission_id": Text,
    "requester": Text,
    "source": Text,
    "run_label": Text,
    "target": Text,
}
"""Fields of a submission's header. A column of the same name gets the field."""
RECORD_VALUES: Mapping[str, type[TypeEngine[Any]]] = {
    "idempotency_key": Text,
    "line": BigInteger,
    "payload": Text,
    "content_hash": LargeBinary,
    "position": Integer,
    **HEADER_VALUES,
}
"""The values that each record has, with the types that they are sent as. A column of the same name
gets the value."""
BATCH_VALUES: Mapping[str, type[TypeEngine[Any]]] = {
    "batch_id": Uuid,
    "write_path": Text,
    "shard": SmallInteger,
}
"""Fields of `BatchInfo`. A column of the same name gets the field."""


@dataclass(frozen=True)
class BatchInfo:
    """What all rows of one batch have in common."""

    batch_id: UUID
    write_path: WritePath
    shard: int | None = None
    """The shard of the batcher; None on the paths without one."""


class Rows:
    """The records of any number of submissions, with a list for each value."""

    def __init__(self) -> None:
        self.values: dict[str, list[Any]] = {name: [] for name in RECORD_VALUES}
        """Lists of equal length, by the names of `RECORD_VALUES`."""
        self.rejections: list[str] = []
        """The rejection of each row; empty for a row that is not rejected."""
        self.sent: Mapping[str, Sequence[Any]] = self.values
        """What the database gets of `values`."""
        self.unholdable: frozenset[int] = frozenset()
        """Rows with a key that the database cannot hold."""

    def __len__(self) -> int:
        return len(self.rejections)

    def append(self, header: SubmissionHeader, columns: RecordColumns) -> None:
        """Append the records of one submission."""
        count = len(columns.keys)
        self.values["idempotency_key"] += columns.keys
        self.values["line"] += columns.lines
        self.values["payload"] += columns.payloads
        self.values["content_hash"] += columns.hashes
        self.values["position"] += range(count)
        for name in HEADER_VALUES:
            self.values[name] += [getattr(header, name)] * count
        self.rejections += columns.rejections

    def reject(self, rejection: str) -> None:
        """Reject all rows that are not rejected yet."""
        self.rejections = [known or rejection for known in self.rejections]

    def escape(self, encoding: Encoding) -> None:
        """Have fields of headers escaped that the database cannot hold.

        Keys and payloads are sent as they are: a record with another key would be another record.
        """
        escaped = {name: encoding.escape_all(self.values[name]) for name in HEADER_VALUES}
        self.sent = {**self.values, **escaped}
        if not encoding.holds_everything:
            keys = enumerate(self.keys)
            self.unholdable = frozenset(row for row, key in keys if not encoding.holds(key))

    @property
    def keys(self) -> list[str]:
        """The idempotency key of each row; empty where a rejected record has none."""
        return self.values["idempotency_key"]
