"""Find where records begin and end, chunk by chunk, in memory that no record can fill."""

import codecs
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import BinaryIO, Protocol

CHUNK_BYTES = 256 * 1024
FILLER = b"\0"
"""Stands for any text that is not special; no delimiter can be a NUL."""

Span = tuple[int, int]
"""First byte of a record in its file, and the one after its last, line end excluded."""


class StructureError(Exception):
    """The bytes at `offset` are not what the format allows."""

    def __init__(self, offset: int, cause: str) -> None:
        super().__init__(cause)
        self.offset = offset


class Grammar(Protocol):
    """What the scan knows of a format."""

    @property
    def record(self) -> re.Pattern[bytes]:
        """Match a whole record with its line end; group 1 is empty or missing for a blank line.

        A long record may not match, but a line end alone does.
        """

    def reach(self, buffer: bytes, position: int) -> int:
        """Tell how far a record reaches that does not match: to its line end or as far as is sure.

        Args:
            buffer: what has been read.
            position: where the record begins in it.
        """

    def carry(self, buffer: bytes, position: int, reached: int, base: int) -> bytes:
        """Reduce an unfinished record to the shortest text that leaves a reader in the same state.

        Args:
            buffer: what has been read.
            position: where the unfinished record begins in it.
            reached: how far it reaches.
            base: offset of the buffer in the file.

        Raises:
            StructureError: no text to come can finish the record.
        """

    def unfinished(self) -> StructureError:
        """Tell why a record that the end of the file did not finish is wrong."""

    def line_ends(self, data: bytes, previous: bytes) -> int:
        """Count the lines that end in `data`, which comes right after `previous`."""


class Hash(Protocol):
    """A digest in the making."""

    def update(self, data: bytes, /) -> None:
        """Take more bytes."""


def text_start(file: BinaryIO) -> int:
    """Move to the first byte after a byte-order mark, if there is one, and tell where it is."""
    file.seek(0)
    start = len(codecs.BOM_UTF8) if file.read(3) == codecs.BOM_UTF8 else 0
    file.seek(start)
    return start


def chunks(file: BinaryIO, length: int | None = None) -> Iterator[bytes]:
    """Read on to the end of a file, or `length` bytes."""
    left = length
    while left is None or left > 0:
        chunk = file.read(CHUNK_BYTES if left is None else min(left, CHUNK_BYTES))
        if not chunk:
            return
        yield chunk
        left = None if left is None else left - len(chunk)


def hashed(parts: Iterable[bytes], digest: Hash) -> Iterator[bytes]:
    """Pass pieces on and add them to a digest."""
    for part in parts:
        digest.update(part)
        yield part


def scan(parts: Iterable[bytes], grammar: Grammar, offset: int = 0) -> Iterator[Span]:
    """Yield the span of every record that is not blank.

    Args:
        parts: the text in pieces of any size.
        grammar: the format; used for this one scan.
        offset: where the first piece begins in the file.

    Raises:
        StructureError: the text is not what the format allows.
    """
    match_record = grammar.record.match
    carry, start = b"", offset
    # A line end too many is a blank line, and one missing at the end of the file is mended.
    for part in chain(parts, [b"\n"]):
        buffer = carry + part
        base = offset - len(carry)
        position = 0
        while match := (
            match_record(buffer, position)
            or match_record(buffer, reached := grammar.reach(buffer, position))
        ):
            last = match.end(1)
            if last > position:
                yield start, base + last
            position = match.end()
            start = base + position
        carry = grammar.carry(buffer, position, reached, base)
        offset += len(part)
    if carry:
        raise grammar.unfinished()


def count_lines(parts: Iterable[bytes], grammar: Grammar) -> int:
    """Count the line ends of a text."""
    lines, previous = 0, b""
    for part in parts:
        lines += grammar.line_ends(part, previous)
        previous = part
    return lines
