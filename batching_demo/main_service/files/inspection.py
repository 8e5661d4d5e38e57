"""Check an input file as a whole, before anything of it is submitted."""

import codecs
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from batching_demo.contracts.limits import MAX_RECORD_BYTES
from batching_demo.main_service.files.csv_format import header, names_size
from batching_demo.main_service.files.ndjson_format import is_array
from batching_demo.main_service.files.scanning import (
    Grammar,
    Span,
    StructureError,
    chunks,
    count_lines,
    hashed,
    scan,
    text_start,
)
from batching_demo.main_service.files.source_file import (
    FORMATS,
    SourceError,
    Stamp,
    format_of,
    grammar_for,
    name_of,
    opened,
    printable,
    stamp_of,
)
from batching_demo.main_service.messages import Source
from batching_demo.records.rejection import shown

_EDGE_BYTES = 4096
_COLUMNS_SHOWN = 20


@dataclass(frozen=True)
class Inspected:
    """A source and how many records it has."""

    source: Source
    records: int
    stamp: Stamp
    """Of the file before it was read, so that a change since is noticed."""


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
        format: csv or ndjson, if the suffix of the name does not say.
        delimiter: between the fields of CSV.
        key_columns: have to be in the header of CSV.
        name: what people call the file, if it is the copy of another.
        encoding: what that other one was in.

    Raises:
        SourceError: naming file, line, cause and what to do.
    """
    path = path.absolute()
    name = name or name_of(str(path))
    source_format = format or format_of(name)
    if source_format not in FORMATS.values():
        raise SourceError(f"{name}: unknown format; add --format csv|ndjson")
    grammar = grammar_for(source_format, delimiter)
    # Opening a pipe would wait for its writer.
    if os.path.exists(path) and not os.path.isfile(path):
        raise SourceError(f"{printable(str(path))}: not a regular file; name a CSV or NDJSON file")
    with opened(str(path), "check its name and permissions") as file:
        stamp = stamp_of(file)
        passed = _Pass(name, file, grammar)
        columns: list[str] = []
        if source_format == "csv":
            columns = passed.columns(delimiter)
            _check_key_columns(name, columns, key_columns)
        else:
            delimiter = ","
            passed.refuse_array()
    source = Source(str(path), name, passed.digest, source_format, delimiter, columns, encoding)
    return Inspected(source, passed.records - bool(columns), stamp)


class _Pass:
    """One checked pass over a file, and what it found."""

    def __init__(self, name: str, file: BinaryIO, grammar: Grammar) -> None:
        self._name, self._file, self._grammar = name, file, grammar
        self._start = text_start(file)
        self._first = self._last = (0, 0)
        self.records = 0
        digest = hashlib.sha256(codecs.BOM_UTF8[: self._start])
        try:
            parts = _utf8(hashed(chunks(file), digest), self._start, _advice(self._read(0, 4)))
            self._file.seek(self._start)
            self._note(scan(parts, grammar, self._start))
        except StructureError as error:
            raise self._refusal(str(error), error.offset) from None
        self.digest = digest.hexdigest()

    def _note(self, spans: Iterator[Span]) -> None:
        self._first = self._last = next(spans, self._first)
        self.records = int(self._first[1] > 0)
        for self._last in spans:
            self.records += 1

    def columns(self, delimiter: str) -> list[str]:
        """Read the header, which a file without any text does not have."""
        start, end = self._first
        if end - start > MAX_RECORD_BYTES:
            raise self._refusal(
                f"the header is longer than {MAX_RECORD_BYTES} bytes; is a line end missing?", start
            )
        try:
            names = header(self._read(start, end).decode(), delimiter) if self.records else []
        except ValueError as error:
            raise self._refusal(str(error), start) from None
        if (size := names_size(names)) > MAX_RECORD_BYTES:
            raise self._refusal(
                f"the names of the columns take {size} bytes in every record, of which at most"
                f" {MAX_RECORD_BYTES} are allowed; shorten them",
                start,
            )
        return names

    def refuse_array(self) -> None:
        """Look at the ends of the first and the last line, which may be of any length."""
        first, last = (
            self._read(start, min(end, start + _EDGE_BYTES))
            + self._read(max(start, end - _EDGE_BYTES), end)
            for start, end in (self._first, self._last)
        )
        if is_array(first, last, self.records):
            raise self._refusal(
                "the file is one JSON array, not an object a line; convert it:"
                f" jq -c '.[]' {self._name} > lines.ndjson",
                self._first[0],
            )

    def _read(self, start: int, end: int) -> bytes:
        self._file.seek(start)
        return self._file.read(end - start)

    def _refusal(self, cause: str, offset: int) -> SourceError:
        self._file.seek(self._start)
        line = 1 + count_lines(chunks(self._file, offset - self._start), self._grammar)
        return SourceError(f"{self._name}, line {line}: {cause}")


def _advice(first: bytes) -> str:
    """Tell by its first bytes what a file that is no UTF-8 may be."""
    if first.startswith(b"\x1f\x8b"):
        return "this is gzip: decompress it, or give it a name that ends in .gz"
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "name the encoding: --encoding utf-16"
    return "name the encoding, for example --encoding cp1252"


def _utf8(parts: Iterable[bytes], offset: int, advice: str) -> Iterator[bytes]:
    """Pass pieces on as long as they are UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for part in parts:
            offset += len(part)
            decoder.decode(part)
            yield part
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise StructureError(
            offset - len(error.object) + error.start,
            f"byte 0x{error.object[error.start]:02X} is not UTF-8; {advice}",
        ) from None


def _check_key_columns(name: str, columns: Sequence[str], key_columns: Sequence[str]) -> None:
    missing = [column for column in key_columns if column not in columns]
    if columns and missing:
        more = len(columns) - _COLUMNS_SHOWN
        raise SourceError(
            f"{name}: no column {', '.join(map(shown, missing))};"
            f" the header has {', '.join(map(shown, columns[:_COLUMNS_SHOWN]))}"
            + (f" and {more:,} more" if more > 0 else "")
        )
