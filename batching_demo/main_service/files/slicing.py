"""Cut a source into slices, each the work of one main workflow."""

import codecs
import hashlib
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import BinaryIO

from batching_demo.contracts.limits import MAX_KEY_BYTES, MAX_RECORD_BYTES, MAX_SLICE_BYTES
from batching_demo.main_service.files.csv_format import escapes_size, names_size
from batching_demo.main_service.files.scanning import (
    Span,
    StructureError,
    chunks,
    hashed,
    scan,
    text_start,
)
from batching_demo.main_service.files.source_file import (
    SourceError,
    Stamp,
    grammar_for,
    opened,
    printable,
    stamp_of,
)
from batching_demo.main_service.messages import Slice, Source

_ENTRY_BYTES = 192
"""What a prepared record may add to payload and key: lengths, hash, key prefix or reason."""


def slices(
    source: Source,
    records_per_workflow: int,
    limit: int | None = None,
    stamp: Stamp | None = None,
) -> Iterator[Slice]:
    """Yield the slices of the first `limit` records, in constant memory.

    A slice has fewer records than asked for where preparation could make more than
    `MAX_SLICE_BYTES` of them. A record over `MAX_RECORD_BYTES` is a slice of its own. Once the file
    is no longer as it was stamped, nothing more is yielded, for it would go under the identity of
    what was inspected.

    Raises:
        SourceError: the file cannot be read, or it is not what was inspected.
    """
    advice = "put it back and start again"
    with opened(source.path, advice) as file, opened(source.path, advice) as again:
        stamp = stamp or stamp_of(file)
        start = text_start(file)
        digest = hashlib.sha256(codecs.BOM_UTF8[:start])
        grammar = grammar_for(source.format, source.delimiter)
        spans = scan(hashed(chunks(file), digest), grammar, start)
        cutter = _Cutter(source, again, start)
        try:
            if source.columns:
                next(spans, None)
            for group in cutter.groups(islice(spans, limit), records_per_workflow):
                cut = list(cutter.cut(group))
                if stamp_of(file) != stamp:
                    raise _changed(source)
                yield from cut
        except StructureError:
            raise _changed(source) from None
        if limit is None and digest.hexdigest() != source.digest:
            raise _changed(source)


def _changed(source: Source) -> SourceError:
    return SourceError(
        f"{printable(source.path)}: changed while it was read; what was started goes on;"
        " start again once nothing writes to it any more"
    )


class _Cutter:
    """Groups records into slices, in the order of the file."""

    def __init__(self, source: Source, file: BinaryIO, start: int) -> None:
        self._file = file
        self._grammar = grammar_for(source.format, source.delimiter)
        self._is_csv = source.format == "csv"
        self._entry_bytes = _ENTRY_BYTES + (names_size(source.columns) if self._is_csv else 0)
        self._counted = start
        self._line = 1
        self._position = 0

    def groups(self, spans: Iterable[Span], most: int) -> Iterator[list[Span]]:
        """Group records as far as number and length allow."""
        group: list[Span] = []
        added = 0
        for start, end in spans:
            more = self._added(start, end)
            if group and (len(group) == most or added + more + end - group[0][0] > MAX_SLICE_BYTES):
                yield group
                group, added = [], 0
            group.append((start, end))
            added += more
        if group:
            yield group

    def cut(self, group: list[Span]) -> Iterator[Slice]:
        """Make one slice, or several if escapes would make too much of the text."""
        start, end = group[0][0], group[-1][1]
        crc32, lines, escapes = self._measure(start, end)
        if escapes and len(group) > 1:
            size = end - start + escapes + sum(self._added(*span) for span in group)
            if size > MAX_SLICE_BYTES:
                half = len(group) // 2
                yield from self.cut(group[:half])
                yield from self.cut(group[half:])
                return
        first_line = self._line + self._measure(self._counted, start)[1]
        yield Slice(self._position, len(group), start, end - start, first_line, crc32)
        self._position += len(group)
        self._line, self._counted = first_line + lines, end

    def _added(self, start: int, end: int) -> int:
        """Bound what preparation adds to the text of a record, escapes aside."""
        length = end - start
        if length > MAX_RECORD_BYTES:
            return MAX_SLICE_BYTES
        return self._entry_bytes + min(2 * length, MAX_KEY_BYTES)

    def _measure(self, start: int, end: int) -> tuple[int, int, int]:
        """Give CRC-32, line ends and bytes that JSON escapes may add."""
        self._file.seek(start)
        crc32, lines, escapes = 0, 0, 0
        previous = b""
        for chunk in chunks(self._file, end - start):
            crc32 = zlib.crc32(chunk, crc32)
            lines += self._grammar.line_ends(chunk, previous)
            escapes += escapes_size(chunk) if self._is_csv else 0
            previous = chunk
        return crc32, lines, escapes
