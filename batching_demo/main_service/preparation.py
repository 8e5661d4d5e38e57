"""Turn the bytes of a slice into records that can be stored, or say why one cannot."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from hashlib import sha256

from batching_demo.contracts.encoding import PreparedRecord
from batching_demo.contracts.messages import Submission, SubmissionHeader
from batching_demo.contracts.names import shard_for
from batching_demo.main_service.files import csv_format, ndjson_format
from batching_demo.main_service.files.read import is_oversized
from batching_demo.main_service.keys import key_of, label_of
from batching_demo.main_service.messages import MainInput, RunOptions, Slice, Source
from batching_demo.records.json_text import canonical, parse_object
from batching_demo.records.preparing import Content, prepare_record, reject_too_large
from batching_demo.records.rejection import RejectionError, shown
from batching_demo.requester.submissions import cut

_Members = dict[str, object]
_Read = Callable[[], tuple[_Members, str, str]]
"""Returns the members, payload and canonical payload of a record, or rejects it."""


def prepare_slice(main_input: MainInput, workflow_id: str, raw: bytes) -> list[Submission]:
    """Return the submissions of a slice.

    Args:
        main_input: The slice, the file it belongs to, and how to treat it.
        workflow_id: Of the main workflow, which names its submissions.
        raw: What `read_slice` returned.
    """
    options = main_input.options
    by_shard: dict[int, list[PreparedRecord]] = {}
    for record in prepare(main_input.source, main_input.slice, raw, options):
        by_shard.setdefault(shard_for(record.key, options.shards), []).append(record)
    template = SubmissionHeader(
        submission_id=workflow_id,
        requester=workflow_id,
        records=0,
        length=0,
        source=main_input.source.name,
        run_label=options.run_label,
        target=options.target,
    )
    return cut(by_shard, template, options.settings.max_records)


def prepare(source: Source, slice_: Slice, raw: bytes, options: RunOptions) -> list[PreparedRecord]:
    """Prepare every record of a slice; a bad one comes out rejected, with its reason.

    Args:
        source: The file that the slice belongs to.
        slice_: Which part of it.
        raw: What `read_slice` returned.
        options: Say how to make keys.
    """
    if is_oversized(slice_):
        digest, beginning = raw[: sha256().digest_size], raw[sha256().digest_size :]
        line, size = slice_.first_line, slice_.length
        return [reject_too_large("", line, size, beginning, digest.hex())]
    return [
        prepare_record(line, text, partial(_content, source, options, line, read))
        for line, text, read in _readings(source, slice_, raw.decode(), has_nulls=options.is_own)
    ]


def _content(source: Source, options: RunOptions, line: int, read: _Read) -> Content:
    """Return a record with its key; the prefix does not count against the longest key.

    For a table of the user's own it is a label: Postgres takes the key from the payload.
    """
    members, payload, canonical_payload = read()
    columns = options.key_columns
    if options.is_own:
        return Content(label_of(members, columns), payload, canonical_payload)
    key = key_of(members, columns) if columns else f"{source.digest}:{line}"
    return Content(options.key_prefix + key, payload, canonical_payload)


def _readings(
    source: Source, slice_: Slice, text: str, *, has_nulls: bool
) -> Iterator[tuple[int, str, _Read]]:
    """Yield line, text and reading of each record.

    Args:
        source: The file.
        slice_: Which part of it.
        text: That part.
        has_nulls: Whether an empty field of CSV is null, as for COPY.
    """
    if source.format == "csv":
        for line, row, fields in csv_format.rows(text, source.delimiter, slice_.first_line):
            yield line, row, partial(_csv_content, source.columns, fields, has_nulls)
    else:
        for line, row in ndjson_format.lines(text, slice_.first_line):
            yield line, row, partial(_ndjson_content, row)


def _csv_content(
    columns: Sequence[str], fields: Sequence[str], has_nulls: bool
) -> tuple[_Members, str, str]:
    if len(fields) != len(columns):
        raise RejectionError("field_count", f"{len(fields)} fields, the header has {len(columns)}")
    if "\0" in "".join(fields):
        bad = next(name for name, value in zip(columns, fields, strict=True) if "\0" in value)
        raise RejectionError("nul", f"a NUL character in column {shown(bad)}")
    members: _Members = dict(zip(columns, fields, strict=True))
    if has_nulls:
        members = {name: value or None for name, value in members.items()}
    payload = canonical(members)
    return members, payload, payload


def _ndjson_content(text: str) -> tuple[_Members, str, str]:
    members = parse_object(text)
    return members, text, canonical(members)
