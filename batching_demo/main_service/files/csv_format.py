"""CSV as the csv module reads it with strict=True over open(newline="")."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from batching_demo.main_service.files.structure import EncodingError, Record, StructureError
from batching_demo.records.rejection import shown

if TYPE_CHECKING:
    from _csv import Reader

LONGEST_RECORD_BYTES = 16 * 1024 * 1024
"""Of what csv.reader holds in memory; an open quote makes one record of the rest of a file."""

_SHORT_ESCAPES = b'"\\\b\t\n\f\r'
_LONG_ESCAPES = bytes(set(range(0x20)) - set(_SHORT_ESCAPES))


def records(parts: Iterable[bytes], offset: int, delimiter: str) -> Iterator[Record]:
    """Yield the records of a file; blank lines are none.

    Args:
        parts: The text in pieces of any size, none of them empty.
        offset: Where the first piece begins in the file.
        delimiter: What stands between two fields.

    Raises:
        StructureError: A quote is wrong, a record is too long, or the text is not UTF-8.
    """
    lines = _Lines(parts, offset)
    reader = _reader(lines, delimiter)
    try:
        for fields in reader:
            if lines.is_quote_open:
                raise _unclosed(reader.line_num - _line_count(fields[-1]))
            end, last = lines.end, lines.last
            if fields:
                text_end = end - len(last) + len(last.rstrip(b"\r\n"))
                yield lines.record_line, lines.record_start, text_end
            lines.record_line, lines.record_start = reader.line_num + 1, end
    except UnicodeDecodeError as error:
        raise EncodingError(reader.line_num + 1, error) from None
    except csv.Error:
        cause = "text follows a closing quote; write a quote inside a quoted field twice"
        raise StructureError(reader.line_num, cause) from None


class _Lines:
    """The lines of a file for csv.reader, which takes one only when its record goes on."""

    def __init__(self, parts: Iterable[bytes], offset: int) -> None:
        self._parts = parts
        self.last = b""
        self.end = self.record_start = offset
        self.record_line = 1
        self.is_quote_open = False

    def __iter__(self) -> Iterator[str]:
        for line in _split(self._parts):
            self.last = line
            is_first = self.record_start == self.end
            self.end += len(line)
            if self.end - self.record_start > LONGEST_RECORD_BYTES:
                raise _too_long(self.record_line)
            text = line.decode()
            # A first line without a quote is a whole record, or blank. csv.reader is spared its
            # fields, which makes reading twice as fast.
            yield text[:1] if is_first and '"' not in text else text
        if self.record_start < self.end:
            # One more quote, and csv.reader returns the field, which shows where it began.
            self.is_quote_open = True
            yield '"'


def _split(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines, and of one that is too long only a beginning that is too long."""
    tail = b""
    for part in parts:
        # The last line may go on: a CR may be half of a CRLF.
        *lines, tail = (tail + part).splitlines(keepends=True)
        yield from lines
        if len(tail) > LONGEST_RECORD_BYTES:
            break
    if tail:
        yield tail


def _reader(lines: Iterable[str], delimiter: str) -> "Reader":
    # Without it a field of more than 128 KiB is an error. All readers of the process share the
    # limit, so it is never lowered.
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_RECORD_BYTES))
    return csv.reader(lines, delimiter=delimiter, strict=True)


def _unclosed(line: int) -> StructureError:
    return StructureError(
        line,
        "a quote opened here is never closed; close it, or quote the whole field and write"
        " a quote inside it twice",
    )


def _too_long(line: int) -> StructureError:
    return StructureError(
        line,
        f"the record that begins here is longer than {LONGEST_RECORD_BYTES} bytes; close an open"
        " quote, or take the record out",
    )


def _line_count(field: str) -> int:
    return len(field.encode().splitlines()) or 1


def column_names(text: str, delimiter: str) -> list[str]:
    """Return the names in a header, trimmed.

    Raises:
        ValueError: The names cannot name columns; the message says why.
    """
    names = [name.strip() for name in next(_reader(_lines_of(text), delimiter))]
    seen: set[str] = set()
    for position, name in enumerate(names):
        if not name:
            raise ValueError(f"column {position + 1} of the header has no name; give it one")
        if "\0" in name:
            raise ValueError(f"the name of column {position + 1} contains a NUL; remove it")
        if name in seen:
            raise ValueError(f"the header names column {shown(name)} twice; rename one of them")
        seen.add(name)
    return names


def rows(text: str, delimiter: str, line: int) -> Iterator[tuple[int, str, list[str]]]:
    """Yield line, raw text and fields of each row; blank lines are no rows."""
    lines = _lines_of(text)
    reader = _reader(lines, delimiter)
    start = 0
    for fields in reader:
        if fields:
            yield line + start, _without_line_end("".join(lines[start : reader.line_num])), fields
        start = reader.line_num


def _lines_of(text: str) -> list[str]:
    return io.StringIO(text, newline="").readlines()


def _without_line_end(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")


def names_size(columns: list[str]) -> int:
    """Return how many bytes a JSON object of these columns has besides its values' text."""
    return len(json.dumps(dict.fromkeys(columns, ""), ensure_ascii=False).encode())


def escapes_size(data: bytes) -> int:
    """Return by how many bytes JSON escapes can lengthen this text at most."""
    short = len(data) - len(data.translate(None, _SHORT_ESCAPES))
    long = len(data) - len(data.translate(None, _LONG_ESCAPES))
    return short + 5 * long
