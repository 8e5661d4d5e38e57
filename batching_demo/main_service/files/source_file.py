"""Open a file, read its bytes and find its records."""

import codecs
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from batching_demo.contracts.errors import InputError
from batching_demo.main_service.files import csv_format, ndjson_format
from batching_demo.main_service.files.structure import Record

CHUNK_BYTES = 256 * 1024
FORMATS = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}
GZIP_SUFFIX = ".gz"
LONGEST_NAME_BYTES = 255
STANDARD_INPUT_NAME = "standard input"


class SourceError(InputError):
    """An input that is refused as a whole; its text is one line for the user."""


class ChangedError(SourceError):
    """An input that is no longer what the starter has read. It never turns back into that."""


class Hash(Protocol):
    """A checksum that bytes are added to."""

    def update(self, data: bytes, /) -> None:
        """Add bytes."""


class FileStamp(NamedTuple):
    """What changes when a file is written to or replaced."""

    device: int
    inode: int
    size: int
    modified_ns: int


def stamp_of(file: BinaryIO) -> FileStamp:
    """Return the stamp of an open file."""
    status = os.fstat(file.fileno())
    return FileStamp(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


@contextmanager
def opened(path: str, advice: str) -> Iterator[BinaryIO]:
    """Open a file to read it.

    Raises:
        SourceError: The file cannot be opened or read; the message ends with the advice.
    """
    try:
        with open(path, "rb") as file:
            yield file
    except OSError as error:
        raise SourceError(
            f"{printable(path)}: cannot be read ({error.strerror}); {advice}"
        ) from error


def printable(path: str) -> str:
    """Return a path as one line of text, whatever bytes it is made of."""
    text = os.fsencode(path).decode(errors="backslashreplace")
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def name_of(path: str) -> str:
    """Return the name of a file for people; of a name too long for messages, its end."""
    name = printable(Path(path).name).encode()
    return name[-LONGEST_NAME_BYTES:].decode(errors="ignore")


def is_gzip(name: str) -> bool:
    """Return whether the suffix is that of a compressed file."""
    return name.lower().endswith(GZIP_SUFFIX)


def format_of(name: str) -> str:
    """Return the format that the suffix stands for, csv or ndjson, or an empty text."""
    plain = name[: -len(GZIP_SUFFIX)] if is_gzip(name) else name
    return FORMATS.get(Path(plain).suffix.lower(), "")


def chunks(file: BinaryIO, length: int | None = None) -> Iterator[bytes]:
    """Yield the bytes from here to the end of a file, or `length` of them."""
    left = length
    while left is None or left > 0:
        chunk = file.read(CHUNK_BYTES if left is None else min(left, CHUNK_BYTES))
        if not chunk:
            return
        yield chunk
        left = None if left is None else left - len(chunk)


def hashed(parts: Iterable[bytes], digest: Hash) -> Iterator[bytes]:
    """Yield pieces unchanged, after adding them to a digest."""
    for part in parts:
        digest.update(part)
        yield part


def text_parts(file: BinaryIO, digest: Hash) -> tuple[int, Iterator[bytes]]:
    """Return where the text of a file begins, which is after a byte-order mark, and its bytes.

    Args:
        file: Is read by nobody else meanwhile.
        digest: Has the whole file added to it by the time all bytes are read.
    """
    file.seek(0)
    mark = file.read(len(codecs.BOM_UTF8))
    start = len(mark) if mark == codecs.BOM_UTF8 else 0
    file.seek(start)
    digest.update(mark[:start])
    return start, hashed(chunks(file), digest)


def find_records(
    file: BinaryIO, source_format: str, delimiter: str, digest: Hash
) -> Iterator[Record]:
    """Yield the records of a file from its beginning, the header of CSV included.

    Args:
        file: Is read by nobody else meanwhile.
        source_format: csv or ndjson.
        delimiter: Between the fields of CSV.
        digest: Has the whole file added to it by the time all records are found.

    Raises:
        StructureError: The file is not what the format allows.
    """
    start, parts = text_parts(file, digest)
    if source_format == "csv":
        return csv_format.records(parts, start, delimiter)
    return ndjson_format.records(parts, start)
