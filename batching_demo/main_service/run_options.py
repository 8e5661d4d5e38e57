"""How many workflows a run has under way, and what makes a run the same run."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from math import ceil

from batching_demo.contracts.counts import count
from batching_demo.contracts.encoding import encode_records
from batching_demo.contracts.errors import InputError
from batching_demo.contracts.limits import KIB
from batching_demo.contracts.messages import json_size
from batching_demo.contracts.names import WritePath
from batching_demo.main_service.files.read import read_slice
from batching_demo.main_service.files.slice import slices
from batching_demo.main_service.messages import RunOptions, Slice, Source
from batching_demo.main_service.preparation import prepare

MOST_OPEN = 1_000
OUTSTANDING_BYTES_PER_SHARD = 512 * KIB
"""What a batcher buffers. More than that is answered busy, and travels again."""
OUTSTANDING_BATCHES = 3
OUTSTANDING_BYTES = 16 * 1024 * KIB
"""Of the paths that are activities, which wait in their queue. Main workers hold them too."""
HEADER_BYTES = 280
"""Of a submission, without the names of source and run."""
MOST_SUBMISSIONS = 200
"""Of one main workflow and shard: all their headers travel in one payload."""


def records_per_slice(options: RunOptions) -> int:
    """Return the most records of one main workflow."""
    return min(options.records_per_workflow, MOST_SUBMISSIONS * options.settings.max_records)


def check_records_per_workflow(options: RunOptions) -> None:
    """Check that slices are as long as the user says.

    Shorter ones would depend on the settings of the batchers, and so would the ids of their
    workflows: after a change of these settings, what is done already would be loaded again.

    Raises:
        InputError: They would be shorter.
    """
    most = records_per_slice(options)
    if most < options.records_per_workflow:
        raise InputError(
            f"--records-per-workflow {options.records_per_workflow}: a workflow makes at most"
            f" {MOST_SUBMISSIONS} submissions,"
            f" of {count(options.settings.max_records, 'record')} each"
            f" (--max-records, or the batchers' setting): give at most {most}"
        )


def choose_max_open(options: RunOptions, source: Source) -> int:
    """Return how many main workflows to have under way, for records as large as the first ones."""
    header_bytes = HEADER_BYTES + json_size(source.name + options.run_label)
    return default_max_open(options, measure_record(source, options), header_bytes)


def default_max_open(options: RunOptions, encoded_bytes: float, header_bytes: int) -> int:
    """Bound what is outstanding, but not below what keeps batches full.

    Args:
        options: Of the run.
        encoded_bytes: Of a record, on average.
        header_bytes: Of a submission.
    """
    is_batched = options.write_path is WritePath.BATCHED
    shards = options.shards if is_batched else 1
    outstanding = OUTSTANDING_BYTES_PER_SHARD if is_batched else OUTSTANDING_BYTES
    records = records_per_slice(options)
    by_size = ceil(outstanding * shards / (header_bytes + encoded_bytes * records))
    by_batches = ceil(OUTSTANDING_BATCHES * options.settings.max_records * shards / records)
    return min(MOST_OPEN, max(by_size, by_batches))


def measure_record(source: Source, options: RunOptions) -> float:
    """Return how many bytes a record takes as it travels, by preparing the first slice."""
    first = next(slices(source, records_per_slice(options)), None)
    if first is None:
        return 0.0
    records = prepare(source, first, read_slice(source, first), options)
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
        options.database,
        records_per_slice(options),
        *([options.target] if options.is_own else []),
    )
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]


def with_run_ids(
    work: Iterable[tuple[Source, Slice]], options: RunOptions
) -> Iterator[tuple[str, Source, Slice]]:
    """Yield the id of its run with each slice, of several sources one after the other."""
    run = ""
    of: Source | None = None
    for source, slice_ in work:
        if source is not of:
            run, of = run_id(source, options), source
        yield run, source, slice_
