"""Cut a source into slices, each the work of one main workflow."""

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import BinaryIO

from batching_demo.contracts.limits import MAX_KEY_BYTES, MAX_RECORD_BYTES, MAX_SLICE_BYTES
from batching_demo.main_service.files.csv_format import (
    escapes_size,
    names_size,
)
from batching_demo.main_service.files.source_file import (
    FileStamp,
    SourceError,
    chunks,
    find_records,
    opened,
    printable,
    stamp_of,
)
from batching_demo.main_service.files.structure import Record, StructureError
from batching_demo.main_service.messages import Slice, Source

_ENTRY_BYTES = 192
"""What a prepared record has at most besides payload and key: lengths, hash, prefix or reason."""


def slices(
    source: Source,
    records_per_workflow: int,
    limit: int | None = None,
    stamp: FileStamp | None = None,
    *,
    skip: int = 0,
) -> Iterator[Slice]:
    """Yield the slices of the first `limit` records after those to skip, in constant memory.

    A slice has fewer records than asked for where preparation could make more than
    `MAX_SLICE_BYTES` of them. A record over `MAX_RECORD_BYTES` is a slice of its own. Once the
    stamp of the file has changed, no further slice is yielded, for it would belong to other
    content than what was inspected.

    Raises:
        SourceError: The file cannot be read, or it is not what was inspected.
    """
    advice = "put it back and start again"
    with opened(source.path, advice) as file, opened(source.path, advice) as again:
        stamp = stamp or stamp_of(file)
        digest = hashlib.sha256()
        records = find_records(file, source.format, source.delimiter, digest)
        cutter = _Cutter(source, again, skip)
        end = None if limit is None else skip + limit
        try:
            if source.columns:
                next(records, None)
            for group in cutter.groups(islice(records, skip, end), records_per_workflow):
                cut = list(cutter.cut(group))
                if stamp_of(file) != stamp:
                    raise _changed(source)
                yield from cut
        except StructureError:
            raise _changed(source) from None
        if limit is None and digest.hexdigest() != source.digest:
            raise _changed(source)


def work_of(
    source: Source,
    records_per_workflow: int,
    limit: int | None = None,
    stamp: FileStamp | None = None,
    *,
    skip: int = 0,
) -> Iterator[tuple[Source, Slice]]:
    """Yield what `slices` does, each slice with its source, as starters take them."""
    cut = slices(source, records_per_workflow, limit, stamp, skip=skip)
    return ((source, slice_) for slice_ in cut)


def _changed(source: Source) -> SourceError:
    return SourceError(
        f"{printable(source.path)}: changed while it was read; what was started goes on;"
        " start again once nothing writes to it any more"
    )


class _Cutter:
    """Groups records into slices, in the order of the file."""

    def __init__(self, source: Source, file: BinaryIO, position: int) -> None:
        self._file = file
        self._is_csv = source.format == "csv"
        self._entry_bytes = _ENTRY_BYTES + (names_size(source.columns) if self._is_csv else 0)
        self._position = position

    def groups(self, records: Iterable[Record], most: int) -> Iterator[list[Record]]:
        """Yield groups of at most `most` records, as far as their length allows."""
        group: list[Record] = []
        group_start = added = 0
        for record in records:
            more = self._added(record)
            size = record[2] - group_start + added + more
            if group and (len(group) == most or size > MAX_SLICE_BYTES):
                yield group
                group, added = [], 0
            if not group:
                group_start = record[1]
            group.append(record)
            added += more
        if group:
            yield group

    def cut(self, group: list[Record]) -> Iterator[Slice]:
        """Yield one slice, or several if escapes would make too much of the text."""
        if len(group) > 1 and self._prepared_size(group) > MAX_SLICE_BYTES:
            half = len(group) // 2
            yield from self.cut(group[:half])
            yield from self.cut(group[half:])
            return
        (line, start, _), (_, _, end) = group[0], group[-1]
        crc32 = 0
        for chunk in self._chunks(start, end):
            crc32 = zlib.crc32(chunk, crc32)
        yield Slice(self._position, len(group), start, end - start, line, crc32)
        self._position += len(group)

    def _prepared_size(self, group: list[Record]) -> int:
        """Return how much preparation makes of a group at most."""
        start, end = group[0][1], group[-1][2]
        size = end - start + sum(map(self._added, group))
        if self._is_csv:
            size += sum(map(escapes_size, self._chunks(start, end)))
        return size

    def _added(self, record: Record) -> int:
        """Return how much preparation adds to the text of a record at most, escapes aside."""
        _, start, end = record
        if end - start > MAX_RECORD_BYTES:
            return MAX_SLICE_BYTES
        return self._entry_bytes + min(2 * (end - start), MAX_KEY_BYTES)

    def _chunks(self, start: int, end: int) -> Iterator[bytes]:
        self._file.seek(start)
        return chunks(self._file, end - start)
