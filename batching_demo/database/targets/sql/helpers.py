"""The columns that a statement has besides those of the table."""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Helpers:
    """Names of columns that the table does not have."""

    payload: str
    """The record."""
    place: str
    """Its place in the statement, from 1."""
    winner: str
    """The place of the record that wins among those of its key."""
    lacks: str
    """The column that a record needs a value for, and has none."""
    submission_id: str
    position: str
    """With the submission id, what its receipt is known by."""

    @classmethod
    def beside(cls, columns: Collection[str]) -> "Helpers":
        """Return names that differ from those of columns."""
        mark = "#"
        while any(column.startswith(mark) for column in columns):
            mark += "#"
        return cls(*(mark + name for name in cls.__dataclass_fields__))
