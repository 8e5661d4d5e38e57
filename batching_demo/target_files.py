"""Read the file that declares targets, without a look at any database."""

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError
from pydantic_core import ErrorDetails

from batching_demo.contracts.errors import InputError
from batching_demo.contracts.targets import OnConflict, TargetDeclaration, problem_of_name, suggest
from batching_demo.settings import TARGETS

EXPECTED = {
    "table": 'a text, such as table = "billing.invoices"',
    "key": 'a list of columns, such as key = ["invoice_no"]',
    "columns": 'the field for each column, such as columns = { issued_at = "date" }, or false for a'
    " column that keeps its default",
    "on_conflict": f'one of {", ".join(OnConflict)}, such as on_conflict = "ignore"',
    "newest_by": 'a column, such as newest_by = "version"',
    "return": 'a list of columns, such as return = ["id"]',
    "receipts": "true or false",
}
"""The keys of an entry, and what each of them takes."""
NEVER = {
    "delete": "rows are inserted and updated, never deleted",
    "create": "your own migrations create and change the table",
    "alter": "your own migrations create and change the table",
    "types": "types are those of the table, and nothing is guessed",
}
"""What people look for, and why it is not there."""
NEVER_TOO = {
    "deletes": "delete",
    "truncate": "delete",
    "auto_create": "create",
    "create_table": "create",
    "evolve": "alter",
    "auto_evolve": "alter",
    "type": "types",
    "guess_types": "types",
    "infer_types": "types",
}


class TargetsFileError(InputError):
    """The file that declares targets cannot be used as it is. The message is one line."""


class _Entry(BaseModel):
    """One table of the file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    table: str = Field(min_length=1)
    key: list[str] = Field(min_length=1)
    columns: dict[str, Annotated[str, Field(pattern=r"^[^\x00]+$")] | Literal[False]] = {}
    on_conflict: OnConflict = Field(OnConflict.IGNORE, strict=False)
    newest_by: str | None = None
    returned: list[str] = Field([], alias="return")
    receipts: StrictBool = False


def read_targets(path: Path) -> tuple[TargetDeclaration, ...]:
    """Return the targets that a file declares.

    Whether they can work is for the database to say.

    Raises:
        TargetsFileError: The file is not there, or is no TOML, or an entry is wrong.
    """
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise TargetsFileError(
            f"{path} cannot be read: {error.strerror}; correct --targets or {TARGETS}"
        ) from None
    except UnicodeDecodeError as error:
        raise TargetsFileError(f"{path} is not UTF-8: {error.reason} at {error.start}") from None
    except tomllib.TOMLDecodeError as error:
        raise TargetsFileError(f"{path} is no TOML: {error}") from None
    declarations, problems = [], []
    for name, entry in entries.items():
        found = _declaration(str(path), name, entry)
        if isinstance(found, TargetDeclaration):
            declarations.append(found)
        else:
            problems += found
    if problems:
        raise TargetsFileError(f"{path}: {'; '.join(problems)}")
    return tuple(declarations)


def _declaration(origin: str, name: str, entry: Any) -> TargetDeclaration | list[str]:
    """Return one target, or what is wrong with its entry."""
    if problem := _problem_of_name(name, entry):
        return [problem]
    try:
        read = _Entry.model_validate(entry)
    except ValidationError as error:
        return [f"[{name}] {words}" for words in _in_words(error.errors())]
    return TargetDeclaration(
        name=name,
        table=read.table,
        key=tuple(read.key),
        columns={column: filled or None for column, filled in read.columns.items()},
        on_conflict=read.on_conflict,
        newest_by=read.newest_by,
        returned=tuple(read.returned),
        receipts=read.receipts,
        origin=origin,
    )


def _problem_of_name(name: str, entry: object) -> str:
    """Return what is wrong with the name of an entry; empty if nothing is."""
    if not isinstance(entry, dict):
        return f"{name} stands outside of a table: write [the name of a target] above it"
    problem = problem_of_name(name)
    return f"[{name}] {problem}" if problem else ""


def _in_words(errors: Sequence[ErrorDetails]) -> Iterator[str]:
    """Describe what pydantic has found: the key of the entry, and what to do. Each key once."""
    for key in dict.fromkeys(str(one["loc"][0]) for one in errors):
        kind = next(one["type"] for one in errors if one["loc"][0] == key)
        if kind == "extra_forbidden":
            yield _unknown(key)
        elif kind == "missing":
            yield f"has no {key}: add {EXPECTED[key]}"
        else:
            yield f"{key}: write {EXPECTED[key]}"


def _unknown(key: str) -> str:
    """Refuse a key that means nothing here."""
    plain = key.lower().replace("-", "_")
    if why := NEVER.get(NEVER_TOO.get(plain, plain)):
        return f"{key} is refused: {why}; leave it out"
    return f"{key} is unknown: {suggest(plain, EXPECTED)}"
