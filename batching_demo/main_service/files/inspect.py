"""Check an input file as a whole, before anything of it is submitted."""

import codecs
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from batching_demo.contracts.limits import MAX_RECORD_BYTES
from batching_demo.main_service.files.csv_format import column_names, names_size
from batching_demo.main_service.files.ndjson_format import is_array
from batching_demo.main_service.files.source_file import (
    FORMATS,
    FileStamp,
    SourceError,
    find_records,
    format_of,
    name_of,
    opened,
    printable,
    stamp_of,
)
from batching_demo.main_service.files.structure import EncodingError, Record, StructureError
from batching_demo.main_service.messages import Source
from batching_demo.records.rejection import shown

_EDGE_BYTES = 4096
_COLUMNS_SHOWN = 20


@dataclass(frozen=True)
class Inspected:
    """A source and how many records it has."""

    source: Source
    records: int
    stamp: FileStamp
    """Taken before the file was read, so that a change since then is noticed."""


def inspect(
    path: Path,
    *,
    format: str | None = None,
    delimiter: str = ",",
    key_columns: Sequence[str] = (),
    name: str | None = None,
    encoding: str = "utf-8",
) -> Inspected:
    """Read a file once, in constant memory, and refuse it unless its structure is sound.

    Args:
        path: a UTF-8 file.
        format: csv or ndjson, if the suffix of the name does not say which.
        delimiter: what stands between two fields of CSV.
        key_columns: columns that the header of CSV must have.
        name: what people call the file, if it is the copy of another.
        encoding: the encoding of that other file.

    Raises:
        SourceError: the file is refused; the message names file, line, cause and what to do.
    """
    path = path.absolute()
    name = name or name_of(str(path))
    source_format = format or format_of(name)
    _check_options(name, source_format, delimiter)
    # Opening a pipe would wait for its writer.
    if os.path.exists(path) and not os.path.isfile(path):
        raise SourceError(f"{printable(str(path))}: not a regular file; name a CSV or NDJSON file")
    with opened(str(path), "check its name and permissions") as file:
        stamp = stamp_of(file)
        columns: list[str] = []
        try:
            found = _read_through(file, source_format, delimiter)
            if source_format == "csv":
                columns = _columns(file, found, delimiter)
            else:
                delimiter = ","
                _refuse_array(file, found, name)
        except StructureError as error:
            raise SourceError(f"{name}, line {error.line}: {error}") from None
    _check_key_columns(name, columns, key_columns)
    source = Source(str(path), name, found.digest, source_format, delimiter, columns, encoding)
    return Inspected(source, found.records - bool(columns), stamp)


def _check_options(name: str, source_format: str, delimiter: str) -> None:
    if source_format not in FORMATS.values():
        raise SourceError(f"{name}: unknown format; add --format csv|ndjson")
    is_character = len(delimiter) == 1 and delimiter.isascii() and delimiter not in '"\r\n\0'
    if source_format == "csv" and not is_character:
        raise SourceError(f"delimiter {delimiter!r}: give one ASCII character, such as , ; or tab")


@dataclass(frozen=True)
class _Found:
    """What a file has, the header of CSV counted as a record."""

    first: Record
    last: Record
    records: int
    digest: str


def _read_through(file: BinaryIO, source_format: str, delimiter: str) -> _Found:
    digest = hashlib.sha256()
    first = last = (1, 0, 0)
    count = 0
    try:
        for count, last in enumerate(find_records(file, source_format, delimiter, digest), 1):
            if count == 1:
                first = last
    except EncodingError as error:
        raise StructureError(error.line, f"{error}; {_advice(_read(file, 0, 4))}") from None
    return _Found(first, last, count, digest.hexdigest())


def _advice(first: bytes) -> str:
    """Return what to do with a file that is not UTF-8, which its first bytes suggest."""
    if first.startswith(b"\x1f\x8b"):
        return "this is gzip: decompress it, or give it a name that ends in .gz"
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "name the encoding: --encoding utf-16"
    return "name the encoding, for example --encoding cp1252"


def _read(file: BinaryIO, start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(end - start)


def _columns(file: BinaryIO, found: _Found, delimiter: str) -> list[str]:
    """Return the names in the header; a file without any text has none."""
    line, start, end = found.first
    if end - start > MAX_RECORD_BYTES:
        raise StructureError(
            line, f"the header is longer than {MAX_RECORD_BYTES} bytes; is a line end missing?"
        )
    try:
        text = _read(file, start, end).decode()
        names = column_names(text, delimiter) if found.records else []
    except ValueError as error:
        raise StructureError(line, str(error)) from None
    if (size := names_size(names)) > MAX_RECORD_BYTES:
        raise StructureError(
            line,
            f"the names of the columns take {size} bytes in every record, of which at most"
            f" {MAX_RECORD_BYTES} are allowed; shorten them",
        )
    return names


def _refuse_array(file: BinaryIO, found: _Found, name: str) -> None:
    """Look at the ends of the first and the last line, which may be of any length."""
    first, last = (
        _read(file, start, min(end, start + _EDGE_BYTES))
        + _read(file, max(start, end - _EDGE_BYTES), end)
        for _, start, end in (found.first, found.last)
    )
    if is_array(first, last, found.records):
        raise StructureError(
            found.first[0],
            "the file is one JSON array, not an object a line; convert it:"
            f" jq -c '.[]' {name} > lines.ndjson",
        )


def _check_key_columns(name: str, columns: Sequence[str], key_columns: Sequence[str]) -> None:
    missing = [column for column in key_columns if column not in columns]
    if columns and missing:
        more = len(columns) - _COLUMNS_SHOWN
        raise SourceError(
            f"{name}: no column {', '.join(map(shown, missing))};"
            f" the header has {', '.join(map(shown, columns[:_COLUMNS_SHOWN]))}"
            + (f" and {more:,} more" if more > 0 else "")
        )
