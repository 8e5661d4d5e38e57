"""The input that a starter or a comparison is asked to read."""

from collections.abc import Sequence
from pathlib import Path

import click

from batching_demo.main_service.samples import FLIGHTS_KEY, flights
from batching_demo.main_service.sources import Inspected, inspect


def read_input(
    path: str | None, input_format: str | None, delimiter: str, key_columns: Sequence[str]
) -> tuple[Inspected, list[str]]:
    """Check an input, or the bundled sample if there is none; give its key columns too.

    Raises:
        SourceError: it cannot be read as what it should be.
    """
    keys = list(key_columns)
    if path is None:
        keys = keys or list(FLIGHTS_KEY)
    where = flights() if path is None else Path(path)
    return (
        inspect(where, format=input_format, delimiter=_one_character(delimiter), key_columns=keys),
        keys,
    )


def bytes_per_record(inspected: Inspected) -> float:
    """Average the raw size of a record."""
    return Path(inspected.source.path).stat().st_size / max(1, inspected.records)


def _one_character(delimiter: str) -> str:
    character = {"\\t": "\t", "tab": "\t"}.get(delimiter, delimiter)
    if len(character) != 1 or character in '"\r\n' or not character.isascii():
        raise click.BadParameter(
            "give one ASCII character that is no quote and no line end; \\t is a tab",
            param_hint="--delimiter",
        )
    return character
