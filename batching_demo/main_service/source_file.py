"""Open the file of a source, and say in one line why it cannot be used."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from batching_demo.main_service.csv_source import CsvGrammar
from batching_demo.main_service.ndjson_source import NdjsonGrammar
from batching_demo.main_service.scanning import Grammar


class SourceError(Exception):
    """An input that is refused as a whole; its text is one line for the user."""


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
        raise SourceError(f"{path}: cannot be read ({error.strerror}); {advice}") from error


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
