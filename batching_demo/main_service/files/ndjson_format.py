"""NDJSON: one JSON object a line, split at the newline only."""

import codecs
import io
import re
from collections.abc import Iterable, Iterator
from itertools import chain

from batching_demo.main_service.files.structure import EncodingError, Record
from batching_demo.records.json_text import WHITE_SPACE

_WHITE_SPACE_BYTES = WHITE_SPACE.encode()
_MAY_BE_BLANK = re.compile(rb"\n[ \t\r\n]")


def records(parts: Iterable[bytes], offset: int) -> Iterator[Record]:
    """Yield the lines of a file that are not blank, of any length, in constant memory.

    Args:
        parts: The text in pieces of any size.
        offset: Where the first piece begins in the file.

    Raises:
        EncodingError: The text is not UTF-8.
    """
    line, start, is_blank = 1, offset, True
    for piece in chain.from_iterable(io.BytesIO(part) for part, _ in _checked(parts)):
        offset += len(piece)
        is_blank = is_blank and not piece.strip(_WHITE_SPACE_BYTES)
        if piece.endswith(b"\n"):
            if not is_blank:
                yield line, start, offset - 1
            line, start, is_blank = line + 1, offset, True
    if not is_blank:
        yield line, start, offset


def count_records(parts: Iterable[bytes]) -> int:
    """Return how many records a file has, faster than `records` finds them.

    Args:
        parts: The text in pieces of any size.

    Raises:
        EncodingError: The text is not UTF-8.
    """
    count, is_blank = 0, True
    for part, line_ends in _checked(parts):
        first, last = part.find(b"\n"), part.rfind(b"\n")
        open_line = part[:first] if line_ends else part
        is_blank = is_blank and not open_line.strip(_WHITE_SPACE_BYTES)
        if line_ends:
            count += (not is_blank) + line_ends - 1
            # Lines are looked at one by one only if some may be blank.
            if _MAY_BE_BLANK.search(part, first, last + 1):
                whole_lines = part[first + 1 : last].split(b"\n")
                count -= sum(not line.strip(_WHITE_SPACE_BYTES) for line in whole_lines)
            is_blank = not part[last + 1 :].strip(_WHITE_SPACE_BYTES)
    return count + (not is_blank)


def _checked(parts: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """Yield parts as long as they are UTF-8, and how many line ends each of them has."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    for part in chain(parts, [b""]):
        try:
            decoder.decode(part, final=not part)
        except UnicodeDecodeError as error:
            raise EncodingError(line + error.object.count(b"\n", 0, error.start), error) from None
        line_ends = part.count(b"\n")
        yield part, line_ends
        line += line_ends


def lines(text: str, line: int) -> Iterator[tuple[int, str]]:
    """Yield the number and the trimmed text of each line that is not blank."""
    for number, raw in enumerate(text.split("\n"), line):
        stripped = raw.strip(WHITE_SPACE)
        if stripped:
            yield number, stripped
