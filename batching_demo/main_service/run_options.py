"""How a run of the starter treats its input, and what that makes of its identity."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from batching_demo.contracts import DEFAULT_RUN_LABEL, KIB, WritePath
from batching_demo.main_service.messages import Source

MOST_OPEN = 1_000
OUTSTANDING_BYTES_PER_SHARD = 512 * KIB
"""What a batcher buffers: of more, much is turned away, and its records travel again."""
OUTSTANDING_BATCHES = 3
MOST_SUBMISSIONS = 200
"""Of one main workflow and shard, for all their headers travel in one payload."""
BYTES_AROUND_PAYLOAD = 200
"""Of a prepared record: key, lengths, hash, its share of a header."""


@dataclass(frozen=True)
class RunOptions:
    """How a run of the starter treats its input."""

    key_columns: list[str]
    records_per_workflow: int = 1
    max_records: int = 100
    shards: int = 1
    linger_seconds: float = 20.0
    write_path: WritePath = WritePath.BATCHED
    run_label: str = DEFAULT_RUN_LABEL
    key_prefix: str = ""
    max_open: int = MOST_OPEN
    """Main workflows under way at a time: a batcher cannot refuse what is in its history."""
    deadline_seconds: float | None = None
    wait: bool = True

    @property
    def records_per_slice(self) -> int:
        """Records of one main workflow, at most."""
        return min(self.records_per_workflow, MOST_SUBMISSIONS * self.max_records)


def default_max_open(
    payload_bytes: float, records_per_workflow: int, shards: int, max_records: int
) -> int:
    """Bound what is outstanding, but not below what keeps batches full.

    Args:
        payload_bytes: of a record as JSON, on average.
        records_per_workflow: in one main workflow.
        shards: that share the load.
        max_records: in a batch.
    """
    bytes_per_workflow = (payload_bytes + BYTES_AROUND_PAYLOAD) * records_per_workflow
    by_size = math.ceil(OUTSTANDING_BYTES_PER_SHARD * shards / bytes_per_workflow)
    by_batches = math.ceil(OUTSTANDING_BATCHES * max_records * shards / records_per_workflow)
    return min(MOST_OPEN, max(by_size, by_batches))


def run_id(source: Source, options: RunOptions) -> str:
    """Digest all that decides what a run's workflows do, so that the same run has the same ids."""
    decides: Sequence[object] = (
        source.digest,
        source.format,
        source.encoding,
        source.delimiter,
        options.key_columns,
        options.key_prefix,
        options.write_path.value,
        options.run_label,
        options.records_per_slice,
    )
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]
