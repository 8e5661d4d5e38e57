"""Copy an input to a UTF-8 file, if it is not UTF-8 or if workers cannot seek in it."""

import codecs
import gzip
import hashlib
import io
import os
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, cast

from batching_demo.main_service.files.descriptors import is_descriptor, is_standard_input
from batching_demo.main_service.files.source_file import (
    STANDARD_INPUT_NAME,
    SourceError,
    chunks,
    hashed,
    is_gzip,
    name_of,
    opened,
    printable,
)

STANDARD_INPUT = "-"
UTF_8 = "utf-8"
SPOOL = "spool"
"""Name of the directory for copies."""


@dataclass(frozen=True)
class Readable:
    """A UTF-8 file that workers can read slices of, and what people call it."""

    path: Path
    name: str
    """Of the original."""
    encoding: str = UTF_8
    """Of the original; all spellings of one encoding are the same text here."""


def readable(path: str, encoding: str, state_directory: Path) -> Readable:
    """Return a file as it is if it is plain UTF-8, otherwise a copy named by its content.

    Raises:
        SourceError: The input cannot be read, decompressed or decoded.
    """
    codec = _codec(encoding)
    if is_standard_input(path):
        path = STANDARD_INPUT
    # A pipe can be read only once, and a worker would wait for its writer. A worker has none of
    # the descriptors of this process.
    is_passing = path == STANDARD_INPUT or is_descriptor(path)
    name = _name(path, is_passing=is_passing)
    is_file = not is_passing and (os.path.isfile(path) or not os.path.exists(path))
    if codec == UTF_8 and is_file and not is_gzip(name):
        return Readable(Path(path), name)
    if os.path.isdir(path):
        raise SourceError(f"{printable(path)}: is a directory; name a CSV or NDJSON file")
    with _raw(path) as file:
        parts = _decompressed(name, file) if is_gzip(name) else chunks(file)
        if codec != UTF_8:
            parts = _recoded(name, parts, codec)
        return Readable(_store(_read(name, parts), state_directory / SPOOL), name, codec)


def _name(path: str, *, is_passing: bool) -> str:
    """Return what people call an input; a descriptor by its path, since its number alone is odd."""
    if path == STANDARD_INPUT:
        return STANDARD_INPUT_NAME
    return printable(path) if is_passing else name_of(path)


def _codec(encoding: str) -> str:
    try:
        # Unlike a mere look-up, this refuses codecs that do not turn bytes into text.
        io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        return codecs.lookup(encoding).name
    except (LookupError, UnicodeEncodeError):
        raise SourceError(
            f"encoding {encoding!r} is unknown; try utf-8, latin-1, cp1252 or utf-16"
        ) from None


@contextmanager
def _raw(path: str) -> Iterator[BinaryIO]:
    if path == STANDARD_INPUT:
        if sys.stdin is None:
            raise SourceError("standard input is closed; pipe the input into it, or name a file")
        yield sys.stdin.buffer
    else:
        with opened(path, "check its name and permissions") as file:
            yield file


def _read(name: str, parts: Iterable[bytes]) -> Iterator[bytes]:
    try:
        yield from parts
    except OSError as error:
        raise SourceError(f"{name}: cannot be read ({error.strerror or error})") from None


def _decompressed(name: str, file: BinaryIO) -> Iterator[bytes]:
    try:
        with gzip.open(file) as unpacked:
            yield from chunks(cast(BinaryIO, unpacked))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise SourceError(f"{name}: is not whole gzip ({error}); make the file anew") from None


def _recoded(name: str, parts: Iterable[bytes], codec: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(codec)()
    lines, last, state = 1, "", 0
    try:
        for part in parts:
            state = decoder.getstate()[1]
            text = decoder.decode(part)
            yield text.encode()
            lines += _line_ends(text, last)
            last = text[-1:] or last
        yield decoder.decode(b"", final=True).encode()
    except UnicodeDecodeError as error:
        # The bytes before it are decoded again, in the state that a byte-order mark may have set.
        decoder.setstate((b"", state))
        line = lines + _line_ends(decoder.decode(error.object[: error.start]), last)
        byte = error.object[error.start]
        raise SourceError(f"{name}, line {line}: byte 0x{byte:02X} is not {codec}") from None
    except UnicodeError as error:
        raise SourceError(f"{name}, line {lines}: is not {codec} ({error})") from None


def _line_ends(text: str, last: str) -> int:
    """Count LF, CRLF and lone CR, each as one. A CRLF may be cut in two."""
    count = text.count("\n") + text.count("\r") - text.count("\r\n")
    return count - (last == "\r" and text.startswith("\n"))


def _store(parts: Iterable[bytes], directory: Path) -> Path:
    """Write a file named by the digest of its content; the same content is the same file."""
    digest = hashlib.sha256()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with _partial(directory) as file:
            for part in hashed(parts, digest):
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
            return _named(Path(file.name), directory / digest.hexdigest())
    except OSError as error:
        raise SourceError(
            f"{directory}: a copy of the input cannot be kept there ({error.strerror});"
            " make room, or set XDG_STATE_HOME to another directory"
        ) from None


def _named(partial: Path, stored: Path) -> Path:
    """Rename a copy, unless the same one is there already, which a starter may be reading."""
    if stored.exists() and stored.stat().st_size == partial.stat().st_size:
        partial.unlink()
    else:
        partial.replace(stored)
    return stored


@contextmanager
def _partial(directory: Path) -> Iterator[IO[bytes]]:
    with tempfile.NamedTemporaryFile(dir=directory, suffix=".partial", delete=False) as file:
        try:
            yield file
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
