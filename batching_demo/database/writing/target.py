"""What a write needs of the table that its rows go to."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from batching_demo.database.writing.answers import Answers
from batching_demo.database.writing.rows import BatchInfo, Rows
from batching_demo.database.writing.sender import Sender

Refusal = tuple[str, str]
"""Why a row is refused, and the SQLSTATE that Postgres would have."""


class Statements(Protocol):
    """The statements of one write to one target. They take and return numbers of rows."""

    def unstorable(self) -> Mapping[int, Refusal]:
        """Return the rows of which no statement may contain the key, not even a look-up."""

    def arrange(self, rows: list[int]) -> list[int]:
        """Return rows in the order in which they are inserted."""

    def candidates(self, rows: Sequence[int]) -> Sequence[int]:
        """Return those of arranged rows that one INSERT may take together."""

    def key_of(self, row: int) -> object:
        """Return what is the same for all rows that are known to have one key."""

    async def insert(self, rows: Sequence[int]) -> Answers:
        """Insert candidates whose keys are not stored yet. Without rows, only try whether it works.

        Raises:
            SQLAlchemyError: It failed, and has changed nothing.
        """

    async def change(self, rows: Sequence[int]) -> Answers:
        """Have candidates replace what is stored under their keys, if the target is for that.

        Raises:
            SQLAlchemyError: It failed, and has changed nothing.
        """

    async def look_up(self, rows: Sequence[int]) -> Answers:
        """Compare rows with what is stored under their keys."""

    async def look_first(self, rows: Sequence[int]) -> Answers:
        """Do the same for rows that no INSERT has taken, but may have in an earlier attempt."""

    async def check_written(self, rows: Sequence[int]) -> Answers:
        """Compare inserted rows with what is stored, and return those that differ."""

    async def cast(self, rows: Sequence[int]) -> None:
        """Cast the values of rows to the types of their columns, and store nothing.

        Raises:
            SQLAlchemyError: It failed.
        """

    async def inserts_a_copy(self) -> bool:
        """Return whether Postgres inserts a copy of a stored row. It is rolled back."""

    async def changes_a_row(self) -> bool:
        """Return whether Postgres changes a stored row to what it is. It is rolled back."""


class Target(Protocol):
    """A table that records are written to: the built-in one, or one that a user declares."""

    @property
    def name(self) -> str:
        """By which submissions name it."""

    def statements(self, sender: Sender, rows: Rows, batch: BatchInfo | None) -> Statements:
        """Return the statements of one write.

        Args:
            sender: Sends them.
            rows: All rows of the write.
            batch: What they have in common; None if each row is a batch of its own.
        """
