"""NDJSON: one JSON object a line, split at the newline only."""

import codecs
import io
import re
from collections.abc import Iterable, Iterator
from itertools import chain

from batching_demo.main_service.files.structure import EncodingError, Record

WHITE_SPACE = " \t\r\n"
"""What JSON calls white space."""

_WHITE_SPACE_BYTES = WHITE_SPACE.encode()
_MAY_BE_BLANK = re.compile(rb"\n[ \t\r\n]")


def records(parts: Iterable[bytes], offset: int) -> Iterator[Record]:
    """Yield the lines of a file that are not blank, of any length, in constant memory.

    Args:
        parts: the text in pieces of any size.
        offset: where the first piece begins in the file.

    Raises:
        EncodingError: the text is not UTF-8.
    """
    line, start, is_blank = 1, offset, True
    for piece in chain.from_iterable(map(io.BytesIO, _checked(parts))):
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
        parts: the text in pieces of any size.

    Raises:
        EncodingError: the text is not UTF-8.
    """
    count, is_blank = 0, True
    for part in _checked(parts):
        open_line, line_end, rest = part.partition(b"\n")
        is_blank = is_blank and not open_line.strip(_WHITE_SPACE_BYTES)
        if line_end:
            whole_lines, last_end, tail = rest.rpartition(b"\n")
            count += (not is_blank) + (_lines_in(whole_lines) if last_end else 0)
            is_blank = not tail.strip(_WHITE_SPACE_BYTES)
    return count + (not is_blank)


def _lines_in(whole_lines: bytes) -> int:
    """Count lines that are not blank, one by one only if some may be."""
    if not _MAY_BE_BLANK.search(b"\n" + whole_lines + b"\n"):
        return whole_lines.count(b"\n") + 1
    return sum(bool(line.strip(_WHITE_SPACE_BYTES)) for line in whole_lines.split(b"\n"))


def _checked(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield parts as long as they are UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    for part in chain(parts, [b""]):
        try:
            decoder.decode(part, final=not part)
        except UnicodeDecodeError as error:
            raise EncodingError(line + error.object.count(b"\n", 0, error.start), error) from None
        yield part
        line += part.count(b"\n")


def lines(text: str, line: int) -> Iterator[tuple[int, str]]:
    """Yield the number and the trimmed text of each line that is not blank."""
    for number, raw in enumerate(text.split("\n"), line):
        stripped = raw.strip(WHITE_SPACE)
        if stripped:
            yield number, stripped
