"""The built-in target: the table `records`. Verdicts follow from its hashes of the content."""

from collections.abc import Mapping, Sequence
from uuid import uuid4

from batching_demo.contracts.names import WritePath
from batching_demo.contracts.targets import RECORDS_TARGET
from batching_demo.database.batch_log.entries import with_entry
from batching_demo.database.targets.records_sql import (
    INSERT_COPY,
    INSERT_ROW,
    INSERT_ROWS,
    SELECT_STORED,
    arrays,
    scalars,
)
from batching_demo.database.writing.answers import CONFLICT, DUPLICATE, WRITTEN, Answers
from batching_demo.database.writing.rows import BatchInfo, Rows
from batching_demo.database.writing.sender import Result, Sender
from batching_demo.database.writing.target import Refusal

NO_NUL = "22021"
"""The SQLSTATE with which Postgres refuses a NUL."""
UNTRANSLATABLE = "22P05"
Stored = tuple[bytes, str, int]
"""Content hash, submission id and position of a stored row."""


class RecordsTarget:
    """The table `records`."""

    name = RECORDS_TARGET

    def statements(
        self, sender: Sender, rows: Rows, batch: BatchInfo | None
    ) -> "RecordsStatements":
        """Return the statements of one write."""
        return RecordsStatements(sender, rows, batch)


class RecordsStatements:
    """The statements of one write to `records`.

    Args:
        sender: Sends them.
        rows: The rows of the write.
        batch: What they have in common; None to insert them one at a time, with a batch id each.
    """

    def __init__(self, sender: Sender, rows: Rows, batch: BatchInfo | None) -> None:
        self._sender = sender
        self._rows = rows
        self._batch = batch

    def unstorable(self) -> Mapping[int, Refusal]:
        """Return the rows with keys that Postgres or its encoding cannot hold."""
        lacked = "a character in the key that the encoding of the database lacks"
        refused = dict.fromkeys(self._rows.unholdable, (lacked, UNTRANSLATABLE))
        if "\0" in "".join(self._rows.keys):
            keys = enumerate(self._rows.keys)
            refused |= {row: ("a NUL in the key", NO_NUL) for row, key in keys if "\0" in key}
        return refused

    def arrange(self, rows: list[int]) -> list[int]:
        """Return rows by key, so that two batches with the same keys lock them in one order."""
        return sorted(rows, key=self._rows.keys.__getitem__)

    def candidates(self, rows: Sequence[int]) -> Sequence[int]:
        """Return the first row of each key."""
        keys = self._rows.keys
        return [row for at, row in enumerate(rows) if at == 0 or keys[rows[at - 1]] != keys[row]]

    def key_of(self, row: int) -> object:
        """Return the idempotency key."""
        return self._rows.keys[row]

    async def insert(self, rows: Sequence[int]) -> Answers:
        """Insert rows whose keys are not stored yet."""
        if self._batch or not rows:
            found = await self._insert_rows(rows, self._batch or _batch_of_one())
        else:
            found = await self._sender.send(
                INSERT_ROW, scalars(self._rows, rows[0], _batch_of_one())
            )
        inserted = set(found.scalars())
        if inserted:
            self._sender.committed()
        keys = self._rows.keys
        written = {row: WRITTEN for row in rows if keys[row] in inserted}
        return Answers(written, tried=rows, keys_change=len(written) < len(inserted))

    async def _insert_rows(self, rows: Sequence[int], batch: BatchInfo) -> Result:
        parameters = arrays(self._rows, rows, batch)
        log = self._sender.log
        if log is None:
            return await self._sender.send(INSERT_ROWS, parameters)
        entry = log.parameters(len(rows))
        found = await self._sender.send(with_entry(INSERT_ROWS), {**parameters, **entry})
        log.committed(len(rows))
        return found

    async def change(self, rows: Sequence[int]) -> Answers:
        """Do nothing: a stored row stays as it is."""
        return Answers()

    async def look_up(self, rows: Sequence[int]) -> Answers:
        """Compare rows with what is stored under their keys."""
        keys = [self._rows.keys[row] for row in self.candidates(rows)]
        found = await self._sender.send(SELECT_STORED, {"keys": keys})
        stored = {key: (content, name, at) for key, content, name, at in found}
        if stored.pop(None, None) and stored:
            self._sender.found_while_standbys_are_awaited()
        matched = ((row, stored.get(self._rows.keys[row])) for row in rows)
        return Answers({row: self._compare(row, *it) for row, it in matched if it})

    async def look_first(self, rows: Sequence[int]) -> Answers:
        """Do the same for rows that an earlier attempt may have inserted."""
        return await self.look_up(rows)

    async def check_written(self, rows: Sequence[int]) -> Answers:
        """Return the inserted rows whose keys have another row."""
        return await self.look_up(rows)

    async def cast(self, rows: Sequence[int]) -> None:
        """Do nothing: what JSON cannot be cast to, Postgres refuses with a code of the record."""

    async def inserts_a_copy(self) -> bool:
        """Return whether Postgres takes a copy of a stored row under another key."""
        return await self._sender.would_store(INSERT_COPY, {"key": uuid4().hex[:12]})

    async def changes_a_row(self) -> bool:
        """Return that it does not, since no row is changed."""
        return False

    def _compare(self, row: int, content_hash: bytes, submission_id: str, position: int) -> str:
        """Return the verdict of a row by what is stored under its key."""
        values = self._rows.sent
        if content_hash != values["content_hash"][row]:
            return CONFLICT
        if (submission_id, position) == (values["submission_id"][row], values["position"][row]):
            return WRITTEN
        return DUPLICATE


def _batch_of_one() -> BatchInfo:
    return BatchInfo(uuid4(), WritePath.UNBATCHED)


RECORDS = RecordsTarget()
