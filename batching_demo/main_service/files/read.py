"""Read the bytes of one slice, in the worker."""

import hashlib
import zlib
from pathlib import Path

from batching_demo.contracts.limits import MAX_RECORD_BYTES
from batching_demo.main_service.files.source_file import (
    ChangedError,
    chunks,
    hashed,
    opened,
    printable,
)
from batching_demo.main_service.files.spool import SPOOL
from batching_demo.main_service.messages import Slice, Source
from batching_demo.records.rejection import TRUNCATED_BYTES


def is_oversized(slice_: Slice) -> bool:
    """Return whether a slice is one record over the limit, which is never read whole."""
    return slice_.records == 1 and slice_.length > MAX_RECORD_BYTES


def read_slice(source: Source, slice_: Slice) -> bytes:
    """Return the bytes of a slice, or of a record over the limit its SHA-256 and its beginning.

    Raises:
        ChangedError: The file has changed since it was sliced.
        SourceError: The file cannot be read here, at least not now.
    """
    keep = TRUNCATED_BYTES if is_oversized(slice_) else slice_.length
    raw, crc32, digest = b"", 0, hashlib.sha256()
    with opened(source.path, _advice(source)) as file:
        file.seek(slice_.offset)
        for chunk in hashed(chunks(file, slice_.length), digest):
            crc32 = zlib.crc32(chunk, crc32)
            raw += chunk[: keep - len(raw)]
    if crc32 != slice_.crc32:
        raise ChangedError(
            f"{printable(source.path)}, line {slice_.first_line}: changed since it was read by the"
            " starter; start again with the file as it is now"
        )
    return digest.digest() + raw if is_oversized(slice_) else raw


def _advice(source: Source) -> str:
    if Path(source.path).parent.name == SPOOL:
        return f"it is the copy of {source.name}: start again, which makes it anew"
    return "a worker needs it under the path that the starter read"
