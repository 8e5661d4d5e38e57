"""Turn the bytes of a slice into records that can be stored, or say why one cannot."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import pairwise
from math import ceil
from typing import NamedTuple

from batching_demo.contracts.encoding import PreparedRecord, encode_records, encoded_size
from batching_demo.contracts.limits import MAX_RECORD_BYTES, MAX_SUBMISSION_BYTES
from batching_demo.contracts.messages import SubmissionHeader
from batching_demo.contracts.names import shard_for
from batching_demo.main_service.files import csv_format, ndjson_format
from batching_demo.main_service.files.read import is_oversized
from batching_demo.main_service.keys import key_of
from batching_demo.main_service.messages import PrepareInput, Slice, Source
from batching_demo.records.json_text import canonical, content_hash, parse_object
from batching_demo.records.rejection import TRUNCATED_BYTES, RejectionError, shown, truncated
from batching_demo.requester.grouping import Submission


class _Content(NamedTuple):
    members: dict[str, object]
    payload: str
    canonical: str


_Reading = tuple[int, str, Callable[[], _Content]]
"""Line and raw text of a record, and what reads it or rejects it."""


def prepare(
    source: Source, slice_: Slice, raw: bytes, key_columns: Sequence[str], key_prefix: str
) -> list[PreparedRecord]:
    """Prepare every record of a slice; a bad one comes out rejected, with its reason.

    Args:
        source: the file the slice belongs to.
        slice_: which part of it.
        raw: what `read_slice` returned.
        key_columns: whose values make the key; without any, the position in the file does.
        key_prefix: put in front of every key; it does not count against the longest key.
    """
    if is_oversized(slice_):
        digest, beginning = raw[: sha256().digest_size], raw[sha256().digest_size :]
        return [_too_large("", slice_.first_line, slice_.length, beginning, digest.hex())]
    preparer = _Preparer(source.digest, key_columns, key_prefix)
    return [preparer.record(*reading) for reading in _readings(source, slice_, raw.decode())]


@dataclass(frozen=True, slots=True)
class _Preparer:
    digest: str
    key_columns: Sequence[str]
    key_prefix: str

    def record(self, line: int, text: str, read: Callable[[], _Content]) -> PreparedRecord:
        try:
            members, payload, canonical_payload = read()
            key = key_of(members, self.key_columns) if self.key_columns else f"{self.digest}:{line}"
            hashed = content_hash(payload, canonical_payload)
            record = PreparedRecord(self.key_prefix + key, line, payload, hashed)
        except RejectionError as rejection:
            record = PreparedRecord("", line, text, b"", str(rejection))
        size = encoded_size(record)
        if size <= MAX_RECORD_BYTES:
            return record
        whole = text.encode()
        return _too_large(record.key, line, size, whole, sha256(whole).hexdigest())


def _readings(source: Source, slice_: Slice, text: str) -> Iterator[_Reading]:
    if source.format == "csv":
        for line, row, fields in csv_format.rows(text, source.delimiter, slice_.first_line):
            yield line, row, partial(_csv_content, source.columns, fields)
    else:
        for line, row in ndjson_format.lines(text, slice_.first_line):
            yield line, row, partial(_ndjson_content, row)


def _csv_content(columns: Sequence[str], fields: Sequence[str]) -> _Content:
    if len(fields) != len(columns):
        raise RejectionError("field_count", f"{len(fields)} fields, the header has {len(columns)}")
    if "\0" in "".join(fields):
        bad = next(name for name, value in zip(columns, fields, strict=True) if "\0" in value)
        raise RejectionError("nul", f"a NUL character in column {shown(bad)}")
    members: dict[str, object] = dict(zip(columns, fields, strict=True))
    payload = canonical(members)
    return _Content(members, payload, payload)


def _ndjson_content(text: str) -> _Content:
    members = parse_object(text)
    return _Content(members, text, canonical(members))


def _too_large(key: str, line: int, size: int, text: bytes, digest: str) -> PreparedRecord:
    rejection = RejectionError(
        "too_large",
        f"the record has {size} bytes, at most {MAX_RECORD_BYTES} are allowed;"
        f" truncated to its first {TRUNCATED_BYTES}, SHA-256 of the whole {digest}",
    )
    return PreparedRecord(key, line, truncated(text), b"", str(rejection))


def cut(
    records: Sequence[PreparedRecord], prepare_input: PrepareInput
) -> tuple[list[Submission], bytes]:
    """Cut records into submissions as equal as number and size allow, and encode them.

    Records of one shard keep their order, and the same records are cut alike every time.
    """
    by_shard: dict[int, list[PreparedRecord]] = {}
    for record in records:
        by_shard.setdefault(shard_for(record.key, prepare_input.shards), []).append(record)
    submissions: list[Submission] = []
    encoded: list[bytes] = []
    for shard, of_shard in by_shard.items():
        least = ceil(len(of_shard) / prepare_input.max_records)
        for count, part in _encoded_parts(of_shard, least):
            header = _header(prepare_input, len(submissions), count, len(part))
            submissions.append(Submission(shard, header))
            encoded.append(part)
    return submissions, b"".join(encoded)


def _encoded_parts(records: Sequence[PreparedRecord], parts: int) -> Iterator[tuple[int, bytes]]:
    """Yield number and bytes of equal parts, cutting those again that are too large."""
    bounds = [len(records) * part // parts for part in range(parts + 1)]
    for start, end in pairwise(bounds):
        encoded = encode_records(records[start:end])
        if len(encoded) <= MAX_SUBMISSION_BYTES or end - start == 1:
            yield end - start, encoded
        else:
            again = min(end - start, ceil(len(encoded) / MAX_SUBMISSION_BYTES))
            yield from _encoded_parts(records[start:end], again)


def _header(prepare_input: PrepareInput, index: int, count: int, length: int) -> SubmissionHeader:
    return SubmissionHeader(
        submission_id=f"{prepare_input.workflow_id}/{index}",
        requester=prepare_input.workflow_id,
        records=count,
        length=length,
        source=prepare_input.source.name,
        run_label=prepare_input.run_label,
    )
