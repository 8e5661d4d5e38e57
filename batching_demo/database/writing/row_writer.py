"""Decide every row of one write: insert it, isolate it if Postgres refuses it, else look it up.

A verdict is a function of the table and the record alone. So a write may be repeated, and may
overlap another one. A key that was not inserted is looked up in a statement of its own, under READ
COMMITTED. Within the statement that inserts, rows that others commit meanwhile are invisible.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from batching_demo.contracts.batches import NOT_STORED, REFUSED
from batching_demo.contracts.messages import Problem, Verdict
from batching_demo.database.dead_letters.storing import DeadLetter
from batching_demo.database.writing.inserter import Inserter
from batching_demo.database.writing.rows import BatchInfo, Rows
from batching_demo.database.writing.statements import Statements

WRITTEN, DUPLICATE, CONFLICT, REJECTED, *_ = (verdict.value[0] for verdict in Verdict)
NO_NUL = "22021"
"""The SQLSTATE with which Postgres refuses a NUL."""
UNTRANSLATABLE = "22P05"
LARGEST_LINE = 2**63 - 1
"""Postgres stores no larger bigint. A malformed submission may name any line."""
PAUSE_SECONDS = 0.05
"""Before a row that was neither inserted nor found is inserted again."""
OTHER_CONTENT = ("conflict", "the key is stored with other content")
TAKEN = "Postgres took the record and did not store it: look for a trigger or a policy of the table"
OTHER_KEY = "the key that Postgres stored differs: look for a trigger that changes it"


@dataclass(frozen=True)
class WriteResult:
    """The verdict of every row of a write."""

    codes: list[str]
    """A character of `VERDICT_BY_CODE` for each row."""
    problems: dict[int, Problem]
    """Why rows are not stored, by the number of the row."""
    bisect_statements: int
    """How many INSERTs it took to find out which records Postgres refuses."""
    returned: Mapping[int, str] = field(default_factory=dict)
    """The columns that the target returns, by the number of the row: the JSON text of an object."""


class RowWriter:
    """One write under way. It fills codes and problems until every row has its verdict.

    Args:
        statements: Send the statements of this write.
        inserter: Inserts rows with them.
        rows: The rows to decide.
    """

    def __init__(self, statements: Statements, inserter: Inserter, rows: Rows) -> None:
        self._statements = statements
        self._inserter = inserter
        self._rows = rows
        self._codes: list[str] = [""] * len(rows)
        self._problems: dict[int, Problem] = {}
        self._keys_change = False
        """Whether Postgres has inserted a row under another key than its own."""
        self._missed: set[str] = set()
        """Keys that were neither inserted nor found."""

    async def run(self, batch: BatchInfo | None, *, look_first: bool = False) -> WriteResult:
        """Decide every row, and return the verdicts.

        Rows that cannot be stored are kept as dead letters.

        Args:
            batch: Named by the dead letters; None on the unbatched path.
            look_first: Look up all keys before the first INSERT.

        Raises:
            SQLAlchemyError: A statement failed, and no record is to blame.
            DatabaseFailedError: The same.
        """
        await self._decide(look_first=look_first)
        batch_id = batch.batch_id if batch else None
        await self._statements.insert_dead_letters(self._dead_letters(), batch_id)
        await self._statements.make_sure()
        return WriteResult(self._codes, self._problems, self._inserter.halving_statements)

    async def _decide(self, *, look_first: bool) -> None:
        """Insert each key once, then look up what was not inserted, until every row is decided.

        More rounds are needed if the first row of a key is refused or not stored, or if somebody
        deletes a row between the INSERT and the look-up. Of each key that is left, a round decides
        a row. Only the first round that misses a key does not, and it is repeated after a pause.
        """
        undecided = self._decide_rejections()
        # Sorted, so that two batches with the same keys lock them in the same order.
        undecided.sort(key=self._rows.keys.__getitem__)
        if look_first:
            undecided = await self._look_up(undecided)
        while undecided:
            chosen = self._first_of_each_key(undecided)
            await self._insert(chosen)
            undecided = await self._look_up(self._still_undecided(undecided))
            if undecided:
                await self._decide_missing(chosen)
                undecided = self._still_undecided(undecided)

    def _decide_rejections(self) -> list[int]:
        """Reject the rows that can never be stored, and return the others in their order."""
        undecided = []
        for row, rejection in enumerate(self._rows.rejections):
            if rejection:
                reason, _, detail = rejection.partition(": ")
                self._refuse(row, REJECTED, reason, detail)
            elif "\0" in self._rows.keys[row]:
                # No statement may contain it, so not even a look-up is possible.
                self._refuse(row, REJECTED, REFUSED, "a NUL in the key", NO_NUL)
            elif row in self._rows.unholdable:
                detail = "a character in the key that the encoding of the database lacks"
                self._refuse(row, REJECTED, REFUSED, detail, UNTRANSLATABLE)
            else:
                undecided.append(row)
        return undecided

    def _first_of_each_key(self, rows: Sequence[int]) -> list[int]:
        """Return the first row of each key. The rows have to be sorted by key."""
        keys = self._rows.keys
        return [row for at, row in enumerate(rows) if at == 0 or keys[rows[at - 1]] != keys[row]]

    def _still_undecided(self, rows: Sequence[int]) -> list[int]:
        return [row for row in rows if not self._codes[row]]

    async def _insert(self, chosen: Sequence[int]) -> None:
        """Insert rows with different keys, and decide those that are inserted or refused."""
        inserted = await self._inserter.insert(chosen)
        written = [row for row in chosen if self._rows.keys[row] in inserted]
        for row in written:
            self._codes[row] = WRITTEN
        self._keys_change |= len(written) < len(inserted)
        for row, failure in self._inserter.take_refusals().items():
            self._refuse(row, REJECTED, REFUSED, failure.refusal, failure.sqlstate)

    async def _look_up(self, rows: list[int]) -> list[int]:
        """Decide the rows whose keys are stored, and return the undecided ones."""
        if not rows:
            return rows
        keys = [self._rows.keys[row] for row in self._first_of_each_key(rows)]
        stored = await self._statements.look_up(keys)
        for row in rows:
            if found := stored.get(self._rows.keys[row]):
                self._compare(row, *found)
        return self._still_undecided(rows)

    async def _decide_missing(self, chosen: Sequence[int]) -> None:
        """Reject rows that were neither inserted nor found, if their keys were missed before.

        Args:
            chosen: The rows of the last INSERT.
        """
        keys = self._rows.keys
        missing = self._still_undecided(chosen)
        again = [row for row in missing if keys[row] in self._missed]
        for row in again:
            self._refuse(row, REJECTED, NOT_STORED, OTHER_KEY if self._keys_change else TAKEN)
        if len(again) < len(missing):
            self._missed.update(keys[row] for row in missing)
            await self._check_written([row for row in chosen if self._codes[row] == WRITTEN])
            await asyncio.sleep(PAUSE_SECONDS)

    async def _check_written(self, written: list[int]) -> None:
        """Decide inserted rows anew. A missing one may have been inserted under the key of one."""
        await self._look_up(written)
        self._keys_change |= any(self._codes[row] != WRITTEN for row in written)

    def _compare(self, row: int, content_hash: bytes, submission_id: str, position: int) -> None:
        """Decide a row by comparing it with what is stored under its key."""
        values = self._rows.sent
        if content_hash != values["content_hash"][row]:
            self._refuse(row, CONFLICT, *OTHER_CONTENT)
        elif (submission_id, position) == (values["submission_id"][row], values["position"][row]):
            self._codes[row] = WRITTEN
        else:
            self._codes[row] = DUPLICATE

    def _refuse(
        self, row: int, code: str, reason: str, detail: str, sqlstate: str | None = None
    ) -> None:
        self._codes[row] = code
        self._problems[row] = Problem(self._rows.values["position"][row], reason, detail, sqlstate)

    def _dead_letters(self) -> list[DeadLetter]:
        """Return a dead letter for each row that is not stored."""
        values = self._rows.values
        return [
            DeadLetter(
                key=values["idempotency_key"][row],
                source=values["source"][row],
                line=min(values["line"][row], LARGEST_LINE),
                record=values["payload"][row],
                reason=problem.reason,
                detail=problem.detail,
                sqlstate=problem.sqlstate,
                requester=values["requester"][row],
                run_label=values["run_label"][row],
                target=values["target"][row],
            )
            for row, problem in self._problems.items()
        ]
