"""Decide every row of one write: insert it, isolate it if Postgres refuses it, else look it up.

A verdict is a function of the table and the record alone. So a write may be repeated, and may
overlap another one. A key that was not inserted is looked up in a statement of its own, under READ
COMMITTED. Within the statement that inserts, rows that others commit meanwhile are invisible.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from batching_demo.contracts.messages import Problem, Verdict
from batching_demo.database.dead_letters import DeadLetter, insert_dead_letters
from batching_demo.database.errors import Failure, FailureKind, classify
from batching_demo.database.rows import BatchInfo, Rows
from batching_demo.database.target import Target

WRITTEN, DUPLICATE, CONFLICT, REJECTED = (verdict.value[0] for verdict in Verdict)
REFUSED = "refused_by_postgres"
NO_NUL = "22021"
"""The SQLSTATE with which Postgres refuses a NUL."""
UNTRANSLATABLE = "22P05"
LARGEST_LINE = 2**63 - 1
"""Postgres stores no larger bigint. A malformed submission may name any line."""
OTHER_CONTENT = ("conflict", "the key is stored with other content")


Insert = Callable[[Sequence[int]], Awaitable[set[str]]]
"""Takes the numbers of rows, sorted by key, whose keys all differ. It inserts those whose keys are
not stored yet, and returns their keys."""


@dataclass(frozen=True)
class WriteResult:
    """The verdict of every row of a write."""

    codes: list[str]
    """A character of `VERDICT_BY_CODE` for each row."""
    problems: dict[int, Problem]
    """Why rows are not stored, by the number of the row."""
    bisect_statements: int
    """How many INSERTs it took to isolate bad records."""


class RowWriter:
    """One write under way. It fills codes and problems until every row has its verdict.

    Args:
        connection: Commits every statement by itself.
        target: The table that rows go to.
        rows: The rows to decide.
        insert: Inserts some of them.
        rows_per_statement: The most rows that `insert` is called with.
    """

    def __init__(
        self,
        connection: AsyncConnection,
        target: Target,
        rows: Rows,
        insert: Insert,
        rows_per_statement: int,
    ) -> None:
        self._connection = connection
        self._target = target
        self._rows = rows
        self._insert = insert
        self._rows_per_statement = rows_per_statement
        self._codes: list[str] = [""] * len(rows)
        self._problems: dict[int, Problem] = {}
        self._bisect_statements = 0

    async def run(self, batch: BatchInfo | None, *, look_first: bool = False) -> WriteResult:
        """Decide every row, and return the verdicts.

        Rows that cannot be stored are kept as dead letters.

        Args:
            batch: Named by the dead letters; None on the unbatched path.
            look_first: Look up all keys before the first INSERT.

        Raises:
            SQLAlchemyError: A statement failed, and no record is to blame.
        """
        await self._decide(look_first=look_first)
        batch_id = batch.batch_id if batch else None
        await insert_dead_letters(self._connection, self._dead_letters(), batch_id)
        return WriteResult(self._codes, self._problems, self._bisect_statements)

    async def _decide(self, *, look_first: bool) -> None:
        """Insert each key once, then look up what was not inserted, until every row is decided.

        More rounds are needed if Postgres refuses the first row of a key, or if somebody deletes a
        row between the INSERT and the look-up.
        """
        undecided = self._decide_rejections()
        # Sorted, so that two batches with the same keys lock them in the same order.
        undecided.sort(key=self._rows.keys.__getitem__)
        if look_first and undecided:
            undecided = await self._look_up(undecided)
        while undecided:
            await self._insert_once(self._first_of_each_key(undecided))
            undecided = self._still_undecided(undecided)
            if undecided:
                undecided = await self._look_up(undecided)

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

    async def _insert_once(self, rows: Sequence[int]) -> None:
        """Insert rows, and isolate those that Postgres refuses."""
        for at in range(0, len(rows), self._rows_per_statement):
            part = rows[at : at + self._rows_per_statement]
            if failure := await self._try(part):
                await self._isolate(part, failure)

    async def _try(self, rows: Sequence[int]) -> Failure | None:
        """Insert rows. Return the failure if a record may have caused it; None if there is none.

        Raises:
            SQLAlchemyError: The statement failed, and no record is to blame.
        """
        try:
            inserted = await self._insert(rows)
        except SQLAlchemyError as error:
            failure = classify(error)
            if failure.kind is FailureKind.POISON:
                return failure
            raise
        for row in rows:
            if self._rows.keys[row] in inserted:
                self._codes[row] = WRITTEN
        return None

    async def _isolate(self, bad: Sequence[int], failure: Failure) -> None:
        """Reject the bad ones of rows that hold at least one, and insert the others.

        Each half is an INSERT of its own, and is halved again if it fails.

        Args:
            bad: Rows that one INSERT could not insert.
            failure: The failure of that INSERT.
        """
        if len(bad) == 1:
            self._refuse(bad[0], REJECTED, REFUSED, failure.reason, failure.sqlstate)
            return
        left, right = bad[: len(bad) // 2], bad[len(bad) // 2 :]
        left_failure = await self._try_half(left)
        if left_failure is None:
            # So a bad row is in the right half. To try that as a whole would be in vain.
            await self._isolate(right, failure)
            return
        await self._isolate(left, left_failure)
        if right_failure := await self._try_half(right):
            await self._isolate(right, right_failure)

    async def _try_half(self, rows: Sequence[int]) -> Failure | None:
        self._bisect_statements += 1
        return await self._try(rows)

    async def _look_up(self, rows: list[int]) -> list[int]:
        """Decide the rows whose keys are stored, and return the others."""
        keys = self._first_of_each_key(rows)
        result = await self._connection.execute(
            self._target.select_stored, {"keys": [self._rows.keys[row] for row in keys]}
        )
        stored = {key: (content, name, at) for key, content, name, at in result}
        for row in rows:
            if found := stored.get(self._rows.keys[row]):
                self._compare(row, *found)
        return self._still_undecided(rows)

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
            )
            for row, problem in self._problems.items()
        ]
