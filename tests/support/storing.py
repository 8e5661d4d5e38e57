"""Take a file all the way into Postgres without Temporal, and read back what is there."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.batcher_service.verdicts import gather
from batching_demo.contracts.encoding import pack, unpack
from batching_demo.contracts.limits import MAX_BATCH_BYTES, MAX_RECORD_BYTES, MAX_SUBMISSION_BYTES
from batching_demo.contracts.messages import Submission
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.database.writing.writes import write_batch
from batching_demo.main_service.files.inspect import Inspected
from batching_demo.main_service.files.read import read_slice
from batching_demo.main_service.files.slice import slices
from batching_demo.main_service.messages import MainInput, RunOptions
from batching_demo.main_service.preparation import prepare_slice
from tests.support.database import execute
from tests.support.records import batch_info

Batch = list[Submission]


@dataclass(frozen=True)
class Load:
    """How to load a file; the run label tells two loads of one file apart."""

    key_columns: Sequence[str] = ()
    records_per_workflow: int = 10
    max_records: int = 100
    run_label: str = "first"
    key_prefix: str = ""


@dataclass
class Stored:
    """What Postgres holds of one source."""

    records: dict[int, tuple[str, object]] = field(default_factory=dict)
    """Key and payload of each line, numbers with all their digits."""
    letters: dict[int, str] = field(default_factory=dict)
    """The reason why each other line is not stored."""


async def store(engine: AsyncEngine, inspected: Inspected, how: Load) -> str:
    """Load a file; return the code of every record's verdict, in their order."""
    codes = ""
    for batch in batches(inspected, how):
        rows = gather(batch).rows
        codes += "".join((await write_batch(engine, rows, batch_info())).codes)
    return codes


def batches(inspected: Inspected, how: Load) -> Iterator[Batch]:
    """Join submissions into batches, as a batcher does; check their sizes."""
    batch: Batch = []
    for submission in _submissions(inspected, how):
        size, count = len(submission.records), submission.header.records
        assert size <= MAX_SUBMISSION_BYTES or count == 1
        assert size <= MAX_RECORD_BYTES + 1024
        records = sum(each.header.records for each in batch) + count
        length = sum(len(each.records) for each in batch) + size
        if batch and (records > how.max_records or length > MAX_BATCH_BYTES):
            yield batch
            batch = []
        batch.append(submission)
    if batch:
        yield batch


def _submissions(inspected: Inspected, how: Load) -> Iterator[Submission]:
    source = inspected.source
    options = RunOptions(
        key_columns=list(how.key_columns),
        settings=BatcherSettings(max_records=how.max_records),
        run_label=how.run_label,
        key_prefix=how.key_prefix,
    )
    for slice_ in slices(source, how.records_per_workflow, stamp=inspected.stamp):
        main_input = MainInput(source, slice_, options)
        workflow_id = f"{source.name}-{how.run_label}-{slice_.position}"
        yield from unpack(pack(prepare_slice(main_input, workflow_id, read_slice(source, slice_))))


async def clear(engine: AsyncEngine) -> None:
    """Forget all records and letters."""
    await execute(engine, "TRUNCATE records, dead_letters")


async def stored(engine: AsyncEngine, source: str) -> Stored:
    """Read what Postgres holds of a source."""
    found = Stored()
    async with engine.connect() as connection:
        for line, key, payload in await connection.execute(RECORDS, {"source": source}):
            found.records[line] = (key, exact_json(payload))
        for line, reason in await connection.execute(LETTERS, {"source": source}):
            assert line not in found.records
            found.letters[line] = reason
    return found


def exact_json(document: str) -> object:
    """Read JSON, its numbers with all their digits."""
    return json.loads(document, parse_float=Decimal, parse_int=Decimal)


RECORDS = text("SELECT line, idempotency_key, payload::text FROM records WHERE source = :source")
LETTERS = text("SELECT line, reason FROM dead_letters WHERE source = :source")
