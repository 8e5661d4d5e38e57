"""The statements of one write to an own table. Its key is in the payload, so Postgres finds it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from batching_demo.database.errors import sqlstate_of
from batching_demo.database.models import receipts
from batching_demo.database.targets.sql.all_statements import OwnSql, Sql
from batching_demo.database.writing.answers import CONFLICT, Answers
from batching_demo.database.writing.rows import Rows
from batching_demo.database.writing.sender import Sender
from batching_demo.database.writing.target import Refusal


class OwnStatements:
    """The statements of one write to an own table.

    A batch of new keys takes one statement. If some are stored already, one follows that compares
    them, or under the rules newest and update one that changes them; under newest, those that are
    not newer are compared after that. With receipts, each of these may take one more that looks
    receipts up.

    Args:
        sql: Their texts.
        sender: Sends them.
        rows: The rows of the write.
    """

    def __init__(self, sql: OwnSql, sender: Sender, rows: Rows) -> None:
        self._sql = sql
        self._sender = sender
        self._rows = rows
        self._first_winners: dict[int, int] = {}
        """By row that had not won when it was first sent, the one that had."""

    def unstorable(self) -> Mapping[int, Refusal]:
        """Return none: the keys of the records are labels, and no statement has them."""
        return {}

    def arrange(self, rows: list[int]) -> list[int]:
        """Return rows as they came. Postgres sorts them by key."""
        return rows

    def candidates(self, rows: Sequence[int]) -> Sequence[int]:
        """Return all rows, but each only once that came with a submission and again with it."""
        if not self._sql.has_receipts:
            return rows
        return list({self._identity(row): row for row in reversed(rows)}.values())[::-1]

    def key_of(self, row: int) -> object:
        """Return the same for rows that Postgres has found to have one key."""
        return self._first_winners.get(row, row)

    async def insert(self, rows: Sequence[int]) -> Answers:
        """Insert rows whose keys are not stored yet, and write their receipts."""
        log = self._sender.log
        return await self._store(self._sql.insert_logged if log else self._sql.insert, rows)

    async def change(self, rows: Sequence[int]) -> Answers:
        """Have rows replace what is stored, under the rules newest and update."""
        if not self._sql.changes_rows:
            return Answers()
        log = self._sender.log
        return await self._store(self._sql.change_logged if log else self._sql.change, rows)

    async def look_up(self, rows: Sequence[int]) -> Answers:
        """Find receipts, and compare rows without any with what is stored."""
        found = await self._find(self._sql.receipts, rows) if self._sql.has_receipts else Answers()
        if not self._sql.compares_rows:
            return found
        others = [row for row in rows if row not in found.codes]
        if not others:
            return found
        return Answers.joined([found, await self._find(self._sql.compare, others)])

    async def look_first(self, rows: Sequence[int]) -> Answers:
        """Do the same as far as it is possible: a record may have values that Postgres refuses."""
        if self._sql.has_receipts:
            return await self._find(self._sql.receipts, rows)
        try:
            return await self.look_up(rows)
        except SQLAlchemyError as error:
            if sqlstate_of(error) is None:
                raise
            return Answers()

    async def check_written(self, rows: Sequence[int]) -> Answers:
        """Return rows that are not what is stored under their keys, if a trigger may change keys.

        What has a receipt is what it says.
        """
        if self._sql.has_receipts or not self._sql.may_change_keys:
            return Answers()
        found = await self._find(self._sql.compare, rows)
        return Answers({row: code for row, code in found.codes.items() if code == CONFLICT})

    async def cast(self, rows: Sequence[int]) -> None:
        """Cast the values of rows, and store nothing."""
        await self._sender.send(self._sql.cast.text, self._parameters(self._sql.cast, rows))

    async def inserts_a_copy(self) -> bool:
        """Return whether Postgres takes a copy of a stored row under another key."""
        copy = self._sql.insert_copy
        return copy is not None and await self._sender.would_store(copy.text, ())

    async def changes_a_row(self) -> bool:
        """Return whether Postgres takes the change of a stored row to what it is."""
        return await self._sender.would_store(self._sql.change_row.text, ())

    async def _store(self, sql: Sql, rows: Sequence[int]) -> Answers:
        """Send a statement that stores rows.

        A receipt that is there already undoes all of it. Then the rows with a receipt are decided,
        and the statement is sent again for the others.
        """
        try:
            found = (await self._sender.send(sql.text, self._parameters(sql, rows))).all()
        except DBAPIError as error:
            if not _has_receipt(error):
                raise
            before = await self._find(self._sql.receipts, rows)
            if not before.codes:
                raise
            others = [row for row in rows if row not in before.codes]
            before.tried = [*before.codes]
            return Answers.joined([before, await self._store(sql, others)]) if others else before
        if self._sender.log:
            self._sender.log.committed(len(rows))
        answers = self._read(found, rows)
        if answers.codes:
            self._sender.committed()
        return answers

    def _read(self, found: Iterable[Sequence[Any]], rows: Sequence[int]) -> Answers:
        """Return what a statement that stores rows has answered."""
        answers = Answers()
        tried: list[int] = []
        for place, winner, lacks, code, returned in found:
            if place is None:
                answers.keys_change = True
                continue
            row = rows[place - 1]
            if lacks:
                answers.lacking[row] = lacks
            elif place == winner:
                tried.append(row)
            else:
                self._first_winners.setdefault(row, rows[winner - 1])
            if code:
                answers.codes[row] = code
                if returned:
                    answers.returned[row] = returned
        answers.tried = tried
        return answers

    async def _find(self, sql: Sql, rows: Sequence[int]) -> Answers:
        """Send a statement that looks rows up."""
        answers = Answers()
        are_standbys_awaited = False
        for place, code, returned in await self._sender.send(sql.text, self._parameters(sql, rows)):
            if place is None:
                are_standbys_awaited = True
            elif code:
                answers.codes[rows[place - 1]] = code
                if returned:
                    answers.returned[rows[place - 1]] = returned
        if are_standbys_awaited and answers.codes:
            self._sender.found_while_standbys_are_awaited()
        return answers

    def _parameters(self, sql: Sql, rows: Sequence[int]) -> tuple[object, ...]:
        log = self._sender.log
        entry = log.parameters(len(rows)) if log else {}
        return tuple(
            entry[name] if name in entry else self._parameter(name, rows) for name in sql.parameters
        )

    def _parameter(self, name: str, rows: Sequence[int]) -> object:
        """Return a parameter of a statement for some rows."""
        if name == "target":
            return self._sql.name
        values = self._rows.sent[COLUMNS[name]]
        return [values[row] for row in rows]

    def _identity(self, row: int) -> tuple[str, int]:
        """Return what the receipt of a row is known by."""
        values = self._rows.sent
        return values["submission_id"][row], values["position"][row]


COLUMNS = {"payloads": "payload", "submission_ids": "submission_id", "positions": "position"}
"""By parameter, which value of the records it is an array of."""


def _has_receipt(error: DBAPIError) -> bool:
    """Return whether a statement failed since a receipt of one of its rows is there already."""
    violation = error.driver_exception
    constraint = getattr(violation, "constraint_name", None)
    return bool(constraint) and constraint == receipts.primary_key.name
