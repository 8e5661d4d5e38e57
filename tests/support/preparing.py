"""Read and prepare files without Temporal."""

from collections.abc import Sequence
from pathlib import Path

from batching_demo.contracts.encoding import PreparedRecord, decode_records, encode_records
from batching_demo.main_service.files.inspect import Inspected, inspect
from batching_demo.main_service.files.read import read_slice
from batching_demo.main_service.files.slice import slices
from batching_demo.main_service.messages import RunOptions
from batching_demo.main_service.preparation import prepare
from tests.support.root import ROOT

CASES = ROOT / "tests" / "cases"


def prepared_slices(
    inspected: Inspected, key_columns: Sequence[str] = (), records_per_workflow: int = 10
) -> list[list[PreparedRecord]]:
    source = inspected.source
    options = RunOptions(list(key_columns))
    return [
        prepare(source, slice_, read_slice(source, slice_), options)
        for slice_ in slices(source, records_per_workflow)
    ]


def prepared(
    path: Path,
    key_columns: Sequence[str] = (),
    records_per_workflow: int = 10,
    delimiter: str = ",",
) -> list[PreparedRecord]:
    inspected = inspect(path, delimiter=delimiter, key_columns=key_columns)
    groups = prepared_slices(inspected, key_columns, records_per_workflow)
    return [record for group in groups for record in group]


def code(record: PreparedRecord) -> str:
    return record.rejection.partition(":")[0]


def stored_hash(record: PreparedRecord) -> bytes:
    """Return the content hash that is stored of a record."""
    (content_hash,) = decode_records(encode_records([record])).hashes
    return content_hash


def write(path: Path, content: str | bytes) -> Path:
    """Write a file as it stands, line ends included."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
