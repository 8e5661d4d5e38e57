"""Targets: the tables that records go to, as users declare them. Postgres is not asked here."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum

RECORDS_TARGET = "records"
"""The target of that name is the built-in table. It is the default, and nobody declares it."""

NAME = re.compile(r"[A-Za-z0-9_-]{1,63}")


def problem_of_name(name: str) -> str:
    """Return why a target cannot have a name, and what to do; empty if it can."""
    if name == RECORDS_TARGET:
        return "is the built-in table and cannot be declared: choose another name"
    if not NAME.fullmatch(name):
        return "is no name of a target: take at most 63 letters, digits, - and _"
    return ""


def suggest(name: str, known: Collection[str]) -> str:
    """Return what to write in place of a name that is unknown: the nearest one, or else any."""
    near = get_close_matches(name, known, 1)
    return f"is it {near[0]}?" if near else f"there are {', '.join(known)}"


class OnConflict(StrEnum):
    """What becomes of a record whose key is stored already."""

    IGNORE = "ignore"
    """The stored row stays: the record is a duplicate or a conflict."""
    NEWEST = "newest"
    """It replaces the stored row if its `newest_by` is higher."""
    UPDATE = "update"
    """It replaces the stored row."""


@dataclass(frozen=True)
class TargetDeclaration:
    """A table of the user's own that records go to, as it is declared."""

    name: str
    """By which submissions name it."""
    table: str
    """As in SQL: `schema.table` or `table`. A name with capitals or odd characters is quoted."""
    key: tuple[str, ...]
    """Columns of a unique constraint or a plain unique index."""
    columns: Mapping[str, str | None] = field(default_factory=dict)
    """By column, the field of the record that fills it; None leaves the column to its default. Any
    other column is filled by the field of its own name."""
    on_conflict: OnConflict = OnConflict.IGNORE
    newest_by: str | None = None
    """A column, with `OnConflict.NEWEST` only."""
    returned: tuple[str, ...] = ()
    """Columns that the requester gets back."""
    receipts: bool = False
    """Whether each record that changes a row leaves a receipt, by which a repetition knows it."""
    origin: str = field(default="the code", compare=False)
    """The file that declares it, for messages."""

    def __post_init__(self) -> None:
        """Take the text of a rule for the rule, so that no rule passes for another one.

        Raises:
            ValueError: There is no such rule.
        """
        object.__setattr__(self, "on_conflict", OnConflict(self.on_conflict))

    def field_of(self, column: str) -> str | None:
        """Return the field of a record that fills a column; None if none does."""
        return self.columns.get(column, column)

    @property
    def key_fields(self) -> tuple[str, ...]:
        """The fields of a record that fill the key."""
        return tuple(self.field_of(column) or column for column in self.key)
