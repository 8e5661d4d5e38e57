"""Check an input file as a whole, before anything of it is submitted."""

import codecs
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from batching_demo.contracts.limits import KIB, MAX_RECORD_BYTES
from batching_demo.main_service.files.csv_format import column_names, names_size
from batching_demo.main_service.files.header_hints import check_first_line, hint
from batching_demo.main_service.files.json_layout import check_layout
from batching_demo.main_service.files.ndjson_format import count_records
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
    text_parts,
)
from batching_demo.main_service.files.structure import EncodingError, Record, StructureError
from batching_demo.main_service.messages import Source
from batching_demo.records.rejection import shown_names

_HINTED_BYTES = 64 * KIB
"""Of the beginning of a CSV file. The hint comes from them."""


@dataclass(frozen=True)
class Inspected:
    """A source and how many records it has."""

    source: Source
    records: int
    stamp: FileStamp
    """Taken before the file was read, so that a change since then is noticed."""
    hint: str = ""
    """What is odd about the header of CSV, and what to do; empty if nothing is."""


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
        path: A UTF-8 file.
        format: csv or ndjson, if the suffix of the name does not say which.
        delimiter: What stands between two fields of CSV.
        key_columns: Columns that the header of CSV must have.
        name: What people call the file, if it is the copy of another.
        encoding: The encoding of that other file.

    Raises:
        SourceError: The file is refused; the message names file, line, cause and what to do.
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
        odd = ""
        try:
            found = _read_through(file, source_format, delimiter)
            if source_format == "csv":
                odd = _hint(file, found, delimiter)
                columns = _columns(file, found, delimiter, odd)
            else:
                delimiter = Source.delimiter
                check_layout(file, found.first, found.records, name)
        except StructureError as error:
            raise SourceError(f"{name}, line {error.line}: {error}") from None
    _check_key_columns(name, columns, key_columns, odd)
    source = Source(str(path), name, found.digest, source_format, delimiter, columns, encoding)
    return Inspected(source, found.records - bool(columns), stamp, odd)


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
    records: int
    digest: str


def _read_through(file: BinaryIO, source_format: str, delimiter: str) -> _Found:
    digest = hashlib.sha256()
    try:
        if source_format == "csv":
            count = sum(1 for _ in find_records(file, source_format, delimiter, digest))
        else:
            count = count_records(text_parts(file, digest)[1])
        first = next(find_records(file, source_format, delimiter, hashlib.sha256()), (1, 0, 0))
    except EncodingError as error:
        raise StructureError(error.line, f"{error}; {_advice(_read(file, 0, 4))}") from None
    return _Found(first, count, digest.hexdigest())


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


def _hint(file: BinaryIO, found: _Found, delimiter: str) -> str:
    line, start, _ = found.first
    beginning = _read(file, start, start + _HINTED_BYTES)
    if len(beginning) == _HINTED_BYTES:
        # Whole lines only.
        beginning = beginning[: beginning.rfind(b"\n") + 1]
    return hint(beginning.decode(), delimiter, line)


def _columns(file: BinaryIO, found: _Found, delimiter: str, odd: str) -> list[str]:
    """Return the names in the header; a file without any text has none."""
    line, start, end = found.first
    if end - start > MAX_RECORD_BYTES:
        raise StructureError(
            line, f"the header is longer than {MAX_RECORD_BYTES} bytes; is a line end missing?"
        )
    try:
        text = _read(file, start, end).decode()
        check_first_line(text)
        names = column_names(text, delimiter) if found.records else []
    except ValueError as error:
        raise StructureError(line, "; ".join(filter(None, (str(error), odd)))) from None
    if (size := names_size(names)) > MAX_RECORD_BYTES:
        raise StructureError(
            line,
            f"the names of the columns take {size} bytes in every record, of which at most"
            f" {MAX_RECORD_BYTES} are allowed; shorten them",
        )
    return names


def _check_key_columns(
    name: str, columns: Sequence[str], key_columns: Sequence[str], odd: str
) -> None:
    missing = [column for column in key_columns if column not in columns]
    if columns and missing:
        refused = f"{name}: no column {shown_names(missing)}; the header has {shown_names(columns)}"
        raise SourceError("; ".join(filter(None, (refused, odd))))
