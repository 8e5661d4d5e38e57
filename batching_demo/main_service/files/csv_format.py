"""CSV as the csv module reads it with strict=True over open(newline="")."""

import csv
import io
import json
import re
from collections.abc import Iterator

from batching_demo.contracts.limits import MAX_RECORD_BYTES
from batching_demo.main_service.files.scanning import FILLER, StructureError
from batching_demo.records.rejection import shown

# The module's own limit is a half of ours, and it is one for the whole process.
csv.field_size_limit(max(csv.field_size_limit(), MAX_RECORD_BYTES))

_SHORT_ESCAPES = b'"\\\b\t\n\f\r'
_LONG_ESCAPES = bytes(set(range(0x20)) - set(_SHORT_ESCAPES))
# A group is repeated a hundred times at most, as re keeps state to come back to each time, and not
# possessively, which goes wrong before Python 3.11.5.
_QUOTES_INSIDE = re.compile(rb'(?:""[^"]*+){1,100}')


class CsvGrammar:
    """Records of a CSV file, for one scan."""

    def __init__(self, delimiter: str) -> None:
        self._delimiter = delimiter.encode()
        special = re.escape(self._delimiter) + rb"\r\n"
        # Plain text, then a whole quoted field or a quote inside an unquoted one, and so on. Each
        # excludes the other, or a record without an end would match in another reading.
        quoted = rb'(?<![^SPECIAL]")[^"]*+"(?:(?=[SPECIAL])|(?:"[^"]*+"){1,100}(?=[SPECIAL]))'
        inside = rb'(?<=[^SPECIAL]")'
        fields = rb'[^"\r\n]*+(?:(?=[\r\n])|(?:"(?:%b|%b)[^"\r\n]*+){0,100})' % (quoted, inside)
        fields = fields.replace(b"SPECIAL", special)
        self._special = re.compile(rb"[%b]" % special)
        self._fields = re.compile(fields)
        # The LF of a CRLF that is cut in two is a blank line to the scan.
        self.record = re.compile(rb"(%b)(?:\r\n?|\n)" % fields)
        self._carried = b""
        self._opened = 0

    def reach(self, buffer: bytes, position: int) -> int:
        """Pass all whole fields, of any number and with any number of quotes inside."""
        while match := self._fields.match(buffer, position):
            end = match.end()
            if end == position:
                end = self._pass_quoted(buffer, position)
            if end == position:
                break
            position = end
        return position

    def _pass_quoted(self, buffer: bytes, position: int) -> int:
        if buffer.startswith(b'"', position):
            end = _closing_quote(buffer, position) + 1
            if self._special.match(buffer, end):
                return end
        return position

    def carry(self, buffer: bytes, position: int, reached: int, base: int) -> bytes:
        """Keep a delimiter, a filler, an open quote or an open and a closed one."""
        self._carried = self._state(buffer, position, reached, base)
        return self._carried

    def _state(self, buffer: bytes, position: int, reached: int, base: int) -> bytes:
        if reached < len(buffer):
            return self._quoted_state(buffer, reached, base)
        last = buffer[max(position, reached - 1) :]
        return last if last in (b"", self._delimiter) else FILLER

    def _quoted_state(self, buffer: bytes, opening: int, base: int) -> bytes:
        if opening or not self._carried.startswith(b'"'):
            self._opened = base + opening
        end = _closing_quote(buffer, opening)
        if end == len(buffer):
            return b'"'
        if end + 1 == len(buffer):
            return b'""'
        raise StructureError(
            base + end + 1,
            "text follows a closing quote; write a quote inside a quoted field twice",
        )

    def unfinished(self) -> StructureError:
        """Point at the quote that the file leaves open."""
        return StructureError(
            self._opened,
            "a quote opened here is never closed; close it, or quote the whole field and write"
            " a quote inside it twice",
        )

    def line_ends(self, data: bytes, previous: bytes) -> int:
        """Count LF, CRLF and lone CR."""
        pairs = data.count(b"\r\n") + (data.startswith(b"\n") and previous.endswith(b"\r"))
        return data.count(b"\n") + data.count(b"\r") - pairs


def _closing_quote(buffer: bytes, opening: int) -> int:
    """Find the quote that closes a field, or else the end of the buffer."""
    position = buffer.find(b'"', opening + 1)
    if position < 0:
        return len(buffer)
    while match := _QUOTES_INSIDE.match(buffer, position):
        position = match.end()
    return position


def header(text: str, delimiter: str) -> list[str]:
    """Read the column names, trimmed.

    Raises:
        ValueError: the names cannot name columns; the message says why.
    """
    lines = io.StringIO(text, newline="")
    names = [name.strip() for name in next(csv.reader(lines, delimiter=delimiter, strict=True))]
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
    lines = io.StringIO(text, newline="").readlines()
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    start = 0
    for fields in reader:
        if fields:
            yield line + start, _without_line_end("".join(lines[start : reader.line_num])), fields
        start = reader.line_num


def _without_line_end(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")


def names_size(columns: list[str]) -> int:
    """Tell how many bytes a JSON object of these columns has besides its values' text."""
    return len(json.dumps(dict.fromkeys(columns, ""), ensure_ascii=False).encode())


def escapes_size(data: bytes) -> int:
    """Tell by how many bytes JSON escapes can lengthen this text at most."""
    short = len(data) - len(data.translate(None, _SHORT_ESCAPES))
    long = len(data) - len(data.translate(None, _LONG_ESCAPES))
    return short + 5 * long
