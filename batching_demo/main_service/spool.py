"""Keep inputs that workers cannot seek in, or that are no UTF-8, as UTF-8 files that they can."""

import codecs
import gzip
import hashlib
import os
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from batching_demo.main_service.scanning import chunks
from batching_demo.main_service.source_file import SourceError, opened

STANDARD_INPUT = "-"
UTF_8 = "utf-8"
GZIP_SUFFIX = ".gz"


@dataclass(frozen=True)
class Readable:
    """A UTF-8 file that workers can read slices of, and what people call it."""

    path: Path
    name: str
    """Of the original, without the suffix of its compression."""


def readable(path: str, encoding: str, spool_directory: Path) -> Readable:
    """Give a file as it is if it is plain UTF-8, otherwise a copy named by its content.

    Raises:
        SourceError: the input cannot be read, decompressed or decoded.
    """
    codec = _codec(encoding)
    name = "standard input" if path == STANDARD_INPUT else Path(path).name
    is_gzip = Path(name).suffix.lower() == GZIP_SUFFIX
    # A pipe can be read only once, and a worker would wait for its writer.
    is_file = path != STANDARD_INPUT and (os.path.isfile(path) or not os.path.exists(path))
    if codec == UTF_8 and is_file and not is_gzip:
        return Readable(Path(path), name)
    if os.path.isdir(path):
        raise SourceError(f"{path}: is a directory; name a CSV or NDJSON file")
    with _raw(path) as file:
        parts = _decompressed(name, file) if is_gzip else chunks(file)
        if codec != UTF_8:
            parts = _recoded(name, parts, codec)
        return Readable(_store(parts, spool_directory), name.removesuffix(GZIP_SUFFIX))


def _codec(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        raise SourceError(
            f"encoding {encoding!r} is unknown; try utf-8, latin-1, cp1252 or utf-16"
        ) from None


@contextmanager
def _raw(path: str) -> Iterator[BinaryIO]:
    if path == STANDARD_INPUT:
        yield sys.stdin.buffer
    else:
        with opened(path, "check its name and permissions") as file:
            yield file


def _decompressed(name: str, file: BinaryIO) -> Iterator[bytes]:
    try:
        with gzip.open(file) as unpacked:
            yield from chunks(cast(BinaryIO, unpacked))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise SourceError(f"{name}: is not whole gzip ({error}); make the file anew") from None


def _recoded(name: str, parts: Iterable[bytes], codec: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(codec)()
    lines, last = 1, ""
    try:
        for part in parts:
            text = decoder.decode(part)
            yield text.encode()
            lines += _line_ends(text, last)
            last = text[-1:] or last
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError as error:
        raise _undecodable(name, error, lines, last, codec) from None


def _undecodable(name: str, error: UnicodeError, lines: int, last: str, codec: str) -> SourceError:
    if not isinstance(error, UnicodeDecodeError):
        return SourceError(f"{name}, line {lines}: is not {codec} ({error})")
    before = error.object[: error.start].decode(codec, "replace")
    byte = error.object[error.start]
    line = lines + _line_ends(before, last)
    return SourceError(f"{name}, line {line}: byte 0x{byte:02X} is not {codec}")


def _line_ends(text: str, last: str) -> int:
    """Count LF, CRLF and lone CR, each as one, where CRLF may be cut in two."""
    count = text.count("\n") + text.count("\r") - text.count("\r\n")
    return count - (last == "\r" and text.startswith("\n"))


def _store(parts: Iterable[bytes], directory: Path) -> Path:
    """Write a file whose name is its content's digest; the same content is the same file."""
    directory.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    descriptor, partial = tempfile.mkstemp(dir=directory, suffix=".partial")
    try:
        with os.fdopen(descriptor, "wb") as file:
            for part in parts:
                digest.update(part)
                file.write(part)
        stored = directory / digest.hexdigest()
        os.replace(partial, stored)
    except BaseException:
        os.unlink(partial)
        raise
    return stored
