"""How a run of the starter treats its input, and what that makes of its identity."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

from batching_demo.contracts.encoding import encode_records
from batching_demo.contracts.limits import KIB
from batching_demo.contracts.names import DEFAULT_RUN_LABEL, WritePath
from batching_demo.main_service.files.read import read_slice
from batching_demo.main_service.files.slice import slices
from batching_demo.main_service.messages import Source
from batching_demo.main_service.preparation import prepare

MOST_OPEN = 1_000
OUTSTANDING_BYTES_PER_SHARD = 512 * KIB
"""What a batcher buffers: of more, much is turned away, and its records travel again."""
OUTSTANDING_BATCHES = 3
OUTSTANDING_BYTES = 16 * 1024 * KIB
"""Of the paths that are activities, which wait in their queue; main workers hold them too."""
HEADER_BYTES = 300
"""Of a submission."""
MOST_SUBMISSIONS = 200
"""Of one main workflow and shard, for all their headers travel in one payload."""


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


def with_max_open(options: RunOptions, source: Source, wanted: int | None) -> RunOptions:
    """Set how many main workflows are under way at a time, or choose it."""
    if wanted is None:
        wanted = default_max_open(options, measure_record(source, options))
    return replace(options, max_open=wanted)


def default_max_open(options: RunOptions, encoded_bytes: float) -> int:
    """Bound what is outstanding, but not below what keeps batches full.

    Args:
        options: whose own `max_open` does not matter.
        encoded_bytes: of a record, on average.
    """
    is_batched = options.write_path is WritePath.BATCHED
    shards = options.shards if is_batched else 1
    outstanding = OUTSTANDING_BYTES_PER_SHARD if is_batched else OUTSTANDING_BYTES
    bytes_per_workflow = HEADER_BYTES + encoded_bytes * options.records_per_slice
    by_size = ceil(outstanding * shards / bytes_per_workflow)
    by_batches = ceil(
        OUTSTANDING_BATCHES * options.max_records * shards / options.records_per_slice
    )
    return min(MOST_OPEN, max(by_size, by_batches))


def measure_record(source: Source, options: RunOptions) -> float:
    """Measure how large a record is as it travels, by preparing the first slice."""
    first = next(slices(source, options.records_per_slice), None)
    if first is None:
        return 0.0
    raw = read_slice(source, first)
    records = prepare(source, first, raw, options.key_columns, options.key_prefix)
    return len(encode_records(records)) / len(records)


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
