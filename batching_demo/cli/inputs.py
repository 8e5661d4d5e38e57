"""The input that a starter or a comparison is asked to read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from batching_demo.main_service.files.inspect import Inspected, inspect
from batching_demo.main_service.files.spool import readable
from batching_demo.main_service.samples import FLIGHTS_KEY, flights


@dataclass(frozen=True)
class InputOptions:
    """Which input to read, and as what."""

    path: str | None
    format: str | None
    delimiter: str
    encoding: str
    key_columns: Sequence[str]


def read_input(chosen: InputOptions, state_directory: Path) -> tuple[Inspected, list[str]]:
    """Check an input, or the bundled sample if there is none; give its key columns too.

    Raises:
        SourceError: it cannot be read as what it should be.
    """
    delimiter = _one_character(chosen.delimiter)
    if chosen.path is None:
        keys = list(chosen.key_columns or FLIGHTS_KEY)
        return inspect(flights(), key_columns=keys), keys
    file = readable(chosen.path, chosen.encoding, state_directory)
    keys = list(chosen.key_columns)
    inspected = inspect(
        file.path,
        format=chosen.format,
        delimiter=delimiter,
        key_columns=keys,
        name=file.name,
        encoding=file.encoding,
    )
    return inspected, keys


def _one_character(delimiter: str) -> str:
    character = {"\\t": "\t", "tab": "\t"}.get(delimiter, delimiter)
    if len(character) != 1 or character in '"\r\n' or not character.isascii():
        raise click.BadParameter(
            "give one ASCII character that is no quote and no line end; \\t is a tab",
            param_hint="--delimiter",
        )
    return character
