"""The options that name an input, and the input that they name."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from batching_demo.cli import options
from batching_demo.main_service.files.inspect import Inspected, inspect
from batching_demo.main_service.files.spool import readable
from batching_demo.main_service.messages import Source
from batching_demo.main_service.samples import FLIGHTS_KEY, flights


@dataclass(frozen=True)
class InputOptions:
    """Which input to read, and as what."""

    path: str | None
    format: str | None
    delimiter: str
    encoding: str
    key_columns: Sequence[str]


input_options = options.as_one(
    "file",
    InputOptions,
    options.option(
        "--input",
        "path",
        metavar="FILE",
        help="CSV file with a header, or NDJSON file, either also gzipped; - is standard input."
        " [default: the bundled flights]",
    ),
    options.option(
        "--format",
        type=click.Choice(["csv", "ndjson"]),
        help="What the input is, if its suffix does not show it. [default: by suffix]",
    ),
    options.option(
        "--delimiter",
        default=Source.delimiter,
        help="Character between the fields of a CSV file; \\t is a tab.",
    ),
    options.option(
        "--encoding",
        default=Source.encoding,
        help="Encoding of the input.",
    ),
    options.option(
        "--key",
        "key_columns",
        multiple=True,
        metavar="COLUMN",
        help="Column of CSV, or member of NDJSON objects, whose text is the idempotency key; given"
        " again, the texts are joined. [default: digest of the content and line of the record; for"
        f" the flights {' '.join(FLIGHTS_KEY)}]",
    ),
)


def read_input(chosen: InputOptions, state_directory: Path) -> tuple[Inspected, list[str]]:
    """Check an input, or the bundled sample if none is named; return it and its key columns.

    Raises:
        SourceError: the input cannot be read as the options say.
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
