"""NDJSON: one JSON object a line, split at the newline only."""

import re
from collections.abc import Iterator

from batching_demo.main_service.files.scanning import FILLER, StructureError

WHITE_SPACE = " \t\r\n"
"""JSON's."""


class NdjsonGrammar:
    """Lines of an NDJSON file."""

    record = re.compile(rb"[ \t\r]*+(?:([^\n]++)\n|\n)")

    def reach(self, buffer: bytes, position: int) -> int:
        """Pass all; `record` matches every line that has an end."""
        return len(buffer)

    def carry(self, buffer: bytes, position: int, reached: int, base: int) -> bytes:
        """Keep a filler of a line that is not blank so far."""
        return FILLER if buffer[position:].strip(WHITE_SPACE.encode()) else b""

    def unfinished(self) -> StructureError:
        """Refuse; the end of the file finishes every line."""
        return StructureError(0, "the last line has no end")

    def line_ends(self, data: bytes, previous: bytes) -> int:
        """Count newlines."""
        return data.count(b"\n")


def lines(text: str, line: int) -> Iterator[tuple[int, str]]:
    """Yield the number and the trimmed text of each line that is not blank."""
    for number, raw in enumerate(text.split("\n"), line):
        stripped = raw.strip(WHITE_SPACE)
        if stripped:
            yield number, stripped


def is_array(first_line: bytes, last_line: bytes, lines: int) -> bool:
    """Tell whether a file is one JSON array rather than a line that is an array among others."""
    white_space = WHITE_SPACE.encode()
    opens = first_line.strip(white_space).startswith(b"[")
    closes = last_line.strip(white_space).endswith(b"]")
    return opens and closes and (lines == 1 or not first_line.strip(white_space).endswith(b"]"))
