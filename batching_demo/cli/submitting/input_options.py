"""The options that name inputs, and the inputs that they name."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from batching_demo.cli import options
from batching_demo.contracts.targets import RECORDS_TARGET, TargetDeclaration
from batching_demo.main_service.files.descriptors import is_standard_input
from batching_demo.main_service.files.directory import files_of
from batching_demo.main_service.files.inspect import Inspected, inspect
from batching_demo.main_service.files.spool import STANDARD_INPUT, readable
from batching_demo.main_service.first_records import check_first_records
from batching_demo.main_service.messages import Source
from batching_demo.main_service.needed_fields import check_fields
from batching_demo.main_service.samples import FLIGHTS_KEY, flights


@dataclass(frozen=True)
class InputOptions:
    """Which inputs to read, and as what."""

    paths: Sequence[str]
    format: str | None
    delimiter: str
    encoding: str
    key_columns: Sequence[str] = ()
    allow_bad_records: bool = False


_what_it_is = (
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
)
_key = options.option(
    "--key",
    "key_columns",
    multiple=True,
    metavar="COLUMN",
    help="Column of CSV, or member of NDJSON objects, whose text is the idempotency key; given"
    " again, the texts are joined. [default: digest of the content and line of the record; for"
    f" the flights {' '.join(FLIGHTS_KEY)}]",
)
_allow_bad_records = click.option(
    "--allow-bad-records",
    is_flag=True,
    help="Load a file even if its first 1,000 records are all bad.",
)
_how_to_read = *_what_it_is, _key, _allow_bad_records
input_options = options.as_one(
    "file",
    InputOptions,
    options.option(
        "--input",
        "paths",
        multiple=True,
        metavar="FILE",
        help="CSV file with a header, or NDJSON file, either also gzipped, or a directory of them;"
        " - is standard input. Given again, `main start` loads all. [default: the bundled flights]",
    ),
    *_how_to_read,
)
input_arguments = options.as_one(
    "file",
    InputOptions,
    click.argument("paths", metavar="[FILE]...", nargs=-1),
    *_how_to_read,
)
"""For a command that is about files, and names them first."""
input_arguments_without_key = options.as_one(
    "file",
    InputOptions,
    click.argument("paths", metavar="[FILE]...", nargs=-1),
    *_what_it_is,
    _allow_bad_records,
)
"""For a command to which the keys of records mean nothing."""


def read_inputs(
    chosen: InputOptions, state_directory: Path, declaration: TargetDeclaration | None = None
) -> tuple[list[Inspected], list[str]]:
    """Check all inputs, or the bundled sample if none is named; return them and the key columns.

    Args:
        chosen: The options.
        state_directory: For a copy of what can be read only once.
        declaration: Of the target that the records go to; None for `records`.

    Raises:
        SourceError: An input cannot be read as the options say.
    """
    delimiter = _one_character(chosen.delimiter)
    chosen = replace(chosen, key_columns=_key_columns(chosen, declaration))
    if not chosen.paths:
        keys = list(chosen.key_columns or FLIGHTS_KEY)
        sample = inspect(flights(), key_columns=() if declaration else keys)
        if declaration:
            check_fields(sample, declaration)
        return [sample], keys
    paths = [path for named in chosen.paths for path in files_of(named)]
    if sum(path == STANDARD_INPUT or is_standard_input(path) for path in paths) > 1:
        raise click.BadParameter("standard input can be read only once", param_hint="--input")
    chosen = replace(chosen, delimiter=delimiter)
    by_digest: dict[str, Inspected] = {}
    for path in paths:
        inspected = _read(path, chosen, state_directory, declaration)
        first = by_digest.setdefault(inspected.source.digest, inspected)
        if first is not inspected:
            same = f"has the content of {first.source.name}, and is loaded once"
            click.echo(f"{inspected.source.name} {same}", err=True)
    return list(by_digest.values()), list(chosen.key_columns)


def _key_columns(chosen: InputOptions, declaration: TargetDeclaration | None) -> Sequence[str]:
    """Return what --key names, or the fields of the key of the target."""
    if declaration is None:
        return chosen.key_columns
    fields = declaration.key_fields
    if chosen.key_columns and tuple(chosen.key_columns) != fields:
        raise click.BadParameter(
            f"the key of target {declaration.name} is {' '.join(fields)}, as {declaration.origin}"
            " says: leave --key out",
            param_hint="--key",
        )
    return fields


def read_input(
    chosen: InputOptions, state_directory: Path, declaration: TargetDeclaration | None = None
) -> tuple[Inspected, list[str]]:
    """Check an input like `read_inputs`, for a command that takes only one.

    Raises:
        SourceError: The input cannot be read as the options say.
    """
    inspected, keys = read_inputs(chosen, state_directory, declaration)
    if len(inspected) > 1:
        raise click.BadParameter("this command takes one file", param_hint="--input")
    return inspected[0], keys


def _read(
    path: str,
    chosen: InputOptions,
    state_directory: Path,
    declaration: TargetDeclaration | None,
) -> Inspected:
    file = readable(path, chosen.encoding, state_directory)
    inspected = inspect(
        file.path,
        format=chosen.format,
        delimiter=chosen.delimiter,
        # What an own target needs has a message of its own.
        key_columns=() if declaration else chosen.key_columns,
        name=file.name,
        encoding=file.encoding,
    )
    if inspected.hint:
        click.echo(f"Hint: {inspected.source.name}: {inspected.hint}", err=True)
    if declaration:
        check_fields(inspected, declaration)
    check_first_records(
        inspected,
        chosen.key_columns,
        allow_bad=chosen.allow_bad_records,
        target=declaration.name if declaration else RECORDS_TARGET,
    )
    return inspected


def _one_character(delimiter: str) -> str:
    character = {"\\t": "\t", "tab": "\t"}.get(delimiter, delimiter)
    if len(character) != 1 or character in '"\r\n' or not character.isascii():
        raise click.BadParameter(
            "give one ASCII character that is no quote and no line end; \\t is a tab",
            param_hint="--delimiter",
        )
    return character
