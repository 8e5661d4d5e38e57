"""Open the file of a source, and say in one line why it cannot be used."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from batching_demo.main_service.files.csv_format import CsvGrammar
from batching_demo.main_service.files.ndjson_format import NdjsonGrammar
from batching_demo.main_service.files.scanning import Grammar

FORMATS = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}
GZIP_SUFFIX = ".gz"
LONGEST_NAME = 255


class SourceError(Exception):
    """An input that is refused as a whole; its text is one line for the user."""


class Stamp(NamedTuple):
    """What changes when a file is written to or replaced."""

    device: int
    inode: int
    size: int
    modified_ns: int


def stamp_of(file: BinaryIO) -> Stamp:
    """Tell in which state an open file is."""
    status = os.fstat(file.fileno())
    return Stamp(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


@contextmanager
def opened(path: str, advice: str) -> Iterator[BinaryIO]:
    """Open a file to read it.

    Raises:
        SourceError: it cannot be opened or read; the message ends with the advice.
    """
    try:
        with open(path, "rb") as file:
            yield file
    except OSError as error:
        raise SourceError(
            f"{printable(path)}: cannot be read ({error.strerror}); {advice}"
        ) from error


def printable(path: str) -> str:
    """Write a path as one line of text, whatever bytes it is made of."""
    text = os.fsencode(path).decode(errors="backslashreplace")
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def name_of(path: str) -> str:
    """Name a file for people; of a name too long for messages, its end."""
    return printable(Path(path).name)[-LONGEST_NAME:]


def is_gzip(name: str) -> bool:
    """Tell by its suffix whether a file is compressed."""
    return name.lower().endswith(GZIP_SUFFIX)


def format_of(name: str) -> str:
    """Tell by its suffix whether a file is csv or ndjson, else give an empty text."""
    plain = name[: -len(GZIP_SUFFIX)] if is_gzip(name) else name
    return FORMATS.get(Path(plain).suffix.lower(), "")


def grammar_for(source_format: str, delimiter: str) -> Grammar:
    """Give what a scan must know of a format.

    Raises:
        SourceError: no CSV can have this delimiter.
    """
    if source_format == "ndjson":
        return NdjsonGrammar()
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0':
        raise SourceError(f"delimiter {delimiter!r}: give one ASCII character, such as , ; or tab")
    return CsvGrammar(delimiter)
