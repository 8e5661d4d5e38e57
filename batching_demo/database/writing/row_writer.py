"""Decide every row of one write: insert it, isolate it if Postgres refuses it, else look it up.

A verdict is a function of the table and the record alone. So a write may be repeated, and may
overlap another one. A key that was not inserted is looked up in a statement of its own, under READ
COMMITTED. Within the statement that inserts, rows that others commit meanwhile are invisible.
Some targets let a record replace the stored row, between the INSERT and the look-up.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from batching_demo.contracts.batches import INCOMPLETE, NOT_STORED, REFUSED
from batching_demo.contracts.messages import Problem
from batching_demo.database.dead_letters.storing import DeadLetter
from batching_demo.database.writing.answers import CONFLICT, REJECTED, WRITTEN, Answers
from batching_demo.database.writing.inserter import Inserter
from batching_demo.database.writing.rows import BatchInfo, Rows
from batching_demo.database.writing.sender import Sender
from batching_demo.database.writing.target import Statements

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
    """How many statements it took to find out which records Postgres refuses."""
    returned: dict[int, str] = field(default_factory=dict)
    """The JSON text of an object with the columns that the target returns, by the number of the
    row. Rows that are written, updated or duplicate have it."""


class RowWriter:
    """One write under way. It fills codes and problems until every row has its verdict.

    Args:
        sender: Sends dead letters, and makes sure of what was looked up.
        statements: The statements of the target.
        rows: The rows to decide.
        rows_per_statement: The most rows of one statement that stores any.
        attempt: Which attempt at the write this is, from 1.
        check_table: Raises if the table is no longer what the statements were made for.
    """

    def __init__(
        self,
        sender: Sender,
        statements: Statements,
        rows: Rows,
        rows_per_statement: int,
        attempt: int,
        check_table: Callable[[], Awaitable[None]],
    ) -> None:
        self._check_table = check_table
        self._sender = sender
        self._statements = statements
        self._inserter = Inserter(
            statements.insert,
            statements.cast,
            statements.inserts_a_copy,
            rows_per_statement,
            attempt,
        )
        self._changer = Inserter(
            statements.change,
            statements.cast,
            statements.changes_a_row,
            rows_per_statement,
            attempt,
        )
        self._rows = rows
        self._codes: list[str] = [""] * len(rows)
        self._problems: dict[int, Problem] = {}
        self._returned: dict[int, str] = {}
        self._keys_change = False
        """Whether Postgres has inserted a row under another key than its own."""
        self._missed: set[object] = set()
        """Keys that were neither inserted nor found."""

    async def run(self, batch: BatchInfo | None, *, look_first: bool = False) -> WriteResult:
        """Decide every row, and return the verdicts.

        Rows that cannot be stored are kept as dead letters.

        Args:
            batch: Named by the dead letters; None on the unbatched path.
            look_first: Look up all rows before the first INSERT.

        Raises:
            SQLAlchemyError: A statement failed, and no record is to blame.
            DatabaseFailedError: The same.
        """
        await self._decide(look_first=look_first)
        if any(not self._rows.rejections[row] for row in self._problems):
            await self._check_table()
        batch_id = batch.batch_id if batch else None
        await self._sender.insert_dead_letters(self._dead_letters(), batch_id)
        await self._sender.make_sure()
        halving = self._inserter.halving_statements + self._changer.halving_statements
        return WriteResult(self._codes, self._problems, halving, self._returned)

    async def _decide(self, *, look_first: bool) -> None:
        """Insert each key once, then look up what was not inserted, until every row is decided.

        More rounds are needed if the first row of a key is refused or not stored, or if somebody
        deletes a row between the INSERT and the look-up. Of each key that is left, a round decides
        a row. Only the first round that misses a key does not, and it is repeated after a pause.
        """
        undecided = self._statements.arrange(self._decide_rejections())
        if look_first and undecided:
            self._take(await self._statements.look_first(undecided))
            undecided = self._still_undecided(undecided)
        while undecided:
            tried = await self._store(self._inserter, undecided)
            undecided = self._still_undecided(undecided)
            if undecided:
                await self._store(self._changer, undecided)
                undecided = await self._look_up(self._still_undecided(undecided))
            if undecided:
                await self._decide_missing(tried)
                undecided = self._still_undecided(undecided)

    def _decide_rejections(self) -> list[int]:
        """Reject the rows that can never be stored, and return the others in their order."""
        unstorable = self._statements.unstorable()
        undecided = []
        for row, rejection in enumerate(self._rows.rejections):
            if rejection:
                reason, _, detail = rejection.partition(": ")
                self._refuse(row, REJECTED, reason, detail)
            elif row in unstorable:
                self._refuse(row, REJECTED, REFUSED, *unstorable[row])
            else:
                undecided.append(row)
        return undecided

    def _still_undecided(self, rows: Sequence[int]) -> list[int]:
        return [row for row in rows if not self._codes[row]]

    async def _store(self, inserter: Inserter, undecided: Sequence[int]) -> Sequence[int]:
        """Insert or change rows, decide those that are stored or refused, and return the tried."""
        answers = await inserter.store(self._statements.candidates(undecided))
        self._take(answers)
        for row, failure in inserter.take_refusals().items():
            self._refuse(row, REJECTED, REFUSED, failure.refusal, failure.sqlstate)
        return answers.tried

    async def _look_up(self, rows: list[int]) -> list[int]:
        """Decide the rows whose keys are stored, and return the undecided ones."""
        if not rows:
            return rows
        self._take(await self._statements.look_up(rows))
        return self._still_undecided(rows)

    async def _decide_missing(self, tried: Sequence[int]) -> None:
        """Reject rows that were neither inserted nor found, if their keys were missed before.

        Args:
            tried: The rows of the last INSERT.
        """
        key_of = self._statements.key_of
        missing = self._still_undecided(tried)
        again = [row for row in missing if key_of(row) in self._missed]
        for row in again:
            self._refuse(row, REJECTED, NOT_STORED, OTHER_KEY if self._keys_change else TAKEN)
        if len(again) < len(missing):
            self._missed.update(key_of(row) for row in missing)
            await self._check_written([row for row in tried if self._codes[row] == WRITTEN])
            await asyncio.sleep(PAUSE_SECONDS)

    async def _check_written(self, written: list[int]) -> None:
        """Decide inserted rows anew. A missing one may have been inserted under the key of one."""
        if written:
            self._take(await self._statements.check_written(written))
            self._keys_change |= any(self._codes[row] != WRITTEN for row in written)

    def _take(self, answers: Answers) -> None:
        """Decide rows by what a statement has found out."""
        for row, code in answers.codes.items():
            if code == CONFLICT:
                self._refuse(row, CONFLICT, *OTHER_CONTENT)
            else:
                self._codes[row] = code
        for row, column in answers.lacking.items():
            self._refuse(row, REJECTED, INCOMPLETE, f"the record has no value for column {column}")
        self._returned |= answers.returned
        self._keys_change |= answers.keys_change

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
