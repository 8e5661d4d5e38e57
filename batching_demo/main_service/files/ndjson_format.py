"""NDJSON: one JSON object a line, split at the newline only."""

import codecs
import io
from collections.abc import Iterable, Iterator
from itertools import chain

from batching_demo.main_service.files.structure import EncodingError, Record

WHITE_SPACE = " \t\r\n"
"""What JSON calls white space."""

_WHITE_SPACE_BYTES = WHITE_SPACE.encode()


def records(parts: Iterable[bytes], offset: int) -> Iterator[Record]:
    """Yield the lines of a file that are not blank, of any length, in constant memory.

    Args:
        parts: the text in pieces of any size.
        offset: where the first piece begins in the file.

    Raises:
        EncodingError: the text is not UTF-8.
    """
    line, start, is_blank = 1, offset, True
    for piece in _pieces(parts):
        offset += len(piece)
        is_blank = is_blank and not piece.strip(_WHITE_SPACE_BYTES)
        if piece.endswith(b"\n"):
            if not is_blank:
                yield line, start, offset - 1
            line, start, is_blank = line + 1, offset, True
    if not is_blank:
        yield line, start, offset


def _pieces(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines, cut where parts end, as long as they are UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    for part in chain(parts, [b""]):
        try:
            decoder.decode(part, final=not part)
        except UnicodeDecodeError as error:
            raise EncodingError(line + error.object.count(b"\n", 0, error.start), error) from None
        yield from io.BytesIO(part)
        line += part.count(b"\n")


def lines(text: str, line: int) -> Iterator[tuple[int, str]]:
    """Yield the number and the trimmed text of each line that is not blank."""
    for number, raw in enumerate(text.split("\n"), line):
        stripped = raw.strip(WHITE_SPACE)
        if stripped:
            yield number, stripped


def is_array(first_line: bytes, last_line: bytes, lines: int) -> bool:
    """Return whether a file is one JSON array rather than lines of which some are arrays."""
    opening = first_line.strip(_WHITE_SPACE_BYTES)
    closing = last_line.strip(_WHITE_SPACE_BYTES)
    is_enclosed = opening.startswith(b"[") and closing.endswith(b"]")
    return is_enclosed and (lines == 1 or not opening.endswith(b"]"))
