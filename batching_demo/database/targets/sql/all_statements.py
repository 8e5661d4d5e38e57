"""All statements of an own table, as texts for the driver."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy import ClauseElement
from sqlalchemy.dialects.postgresql import asyncpg

from batching_demo.contracts.targets import OnConflict
from batching_demo.database.targets.sql.copying import change_row, insert_copy
from batching_demo.database.targets.sql.looking_up import compare_rows, find_receipts
from batching_demo.database.targets.sql.sent import cast_values
from batching_demo.database.targets.sql.storing import change_rows, insert_rows

if TYPE_CHECKING:
    from batching_demo.database.targets.own_target import OwnTarget


@dataclass(frozen=True)
class Sql:
    """A statement as text. SQLAlchemy would read a long one through for each execution."""

    text: str
    parameters: tuple[str, ...]
    """Their names, in the order of their numbers."""

    @classmethod
    def of(cls, statement: ClauseElement) -> "Sql":
        """Return the text of a statement of SQLAlchemy."""
        compiled = statement.compile(dialect=asyncpg.dialect())  # type: ignore[no-untyped-call]  # SQLAlchemy
        return cls(str(compiled), tuple(getattr(compiled, "positiontup", None) or ()))


class OwnSql:
    """The statements of an own table. The parameters of all are values of records by name.

    Args:
        target: Its table and its rules.
    """

    def __init__(self, target: "OwnTarget") -> None:
        self._target = target
        self.name = target.name
        self.has_receipts = target.declaration.receipts
        self.changes_rows = target.declaration.on_conflict is not OnConflict.IGNORE
        self.compares_rows = target.declaration.on_conflict is not OnConflict.UPDATE
        self.may_change_keys = bool(target.before_triggers)
        """Whether a trigger may store a row under another key."""

    def used(self) -> dict[str, Sql]:
        """Return the statements that the rules of the target need, by what they do."""
        return {
            "insert new keys": self.insert,
            **({"change stored rows": self.change} if self.changes_rows else {}),
            **({"compare with stored rows": self.compare} if self.compares_rows else {}),
            **({"look up receipts": self.receipts} if self.has_receipts else {}),
        }

    @cached_property
    def insert(self) -> Sql:
        """The INSERT of new keys."""
        return Sql.of(insert_rows(self._target))

    @cached_property
    def change(self) -> Sql:
        """The UPDATE of stored keys, for the targets that change rows."""
        return Sql.of(change_rows(self._target))

    @cached_property
    def insert_logged(self) -> Sql:
        """The INSERT with an entry in the log of batches."""
        return Sql.of(insert_rows(self._target, logged=True))

    @cached_property
    def change_logged(self) -> Sql:
        """The UPDATE with an entry in the log of batches."""
        return Sql.of(change_rows(self._target, logged=True))

    @cached_property
    def compare(self) -> Sql:
        """The look-up of stored keys, for the targets that compare rows."""
        return Sql.of(compare_rows(self._target))

    @cached_property
    def receipts(self) -> Sql:
        """The look-up of receipts."""
        return Sql.of(find_receipts())

    @cached_property
    def cast(self) -> Sql:
        """The statement that only casts values."""
        return Sql.of(cast_values(self._target))

    @cached_property
    def insert_copy(self) -> Sql | None:
        """The INSERT of a copy; None if no other key can be made up."""
        statement = insert_copy(self._target)
        return None if statement is None else Sql.of(statement)

    @cached_property
    def change_row(self) -> Sql:
        """The UPDATE of a row to what it is."""
        return Sql.of(change_row(self._target))
