"""The only INSERTs of the project, and the verdicts that follow from them.

A verdict is a function of the table and the record alone, so that any write may be repeated or
overlap another one: a key that was not inserted is looked up in a statement of its own (READ
COMMITTED; within one statement, rows that others commit meanwhile stay invisible).
"""

from collections.abc import Awaitable, Callable, Sequence
from uuid import uuid4

from sqlalchemy import Row
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from batching_demo.contracts.messages import Problem, Verdict
from batching_demo.contracts.names import WritePath
from batching_demo.database.dead_letters import DeadLetter, bury
from batching_demo.database.errors import Failure, FailureKind, classify, database_errors
from batching_demo.database.rows import Rows, Stamp
from batching_demo.database.statements import INSERT_ROW, INSERT_ROWS, SELECT_STORED

WRITTEN, DUPLICATE, CONFLICT, REJECTED = (verdict.value[0] for verdict in Verdict)
REFUSED = "refused_by_postgres"
NO_NUL = "22021"
"""The SQLSTATE that Postgres answers a NUL with."""
LARGEST_LINE = 2**63 - 1
OTHER_CONTENT = ("conflict", "the key is stored with other content")


Insert = Callable[[Sequence[int]], Awaitable[set[str]]]
"""Inserts rows whose keys all differ, sorted by key; gives back the keys that were new."""


class Write:
    """One write under way: codes and problems fill up until every row has its verdict."""

    def __init__(
        self, connection: AsyncConnection, rows: Rows, insert: Insert, rows_per_statement: int
    ) -> None:
        self._connection = connection
        self._rows = rows
        self._insert = insert
        self._rows_per_statement = rows_per_statement
        self.codes: list[str] = [""] * len(rows)
        self.problems: dict[int, Problem] = {}
        self.bisect_statements = 0

    async def run(self, *, look_first: bool = False) -> None:
        """Decide every row: insert each key once, look up what was not inserted, repeat."""
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
        """Answer what can never be stored; give back the others in submission order."""
        undecided = []
        for row, rejection in enumerate(self._rows.rejections):
            if rejection:
                reason, _, detail = rejection.partition(": ")
                self._refuse(row, REJECTED, reason, detail)
            elif "\0" in self._rows.keys[row]:
                # Postgres takes it in no statement, so that not even a look-up is possible.
                self._refuse(row, REJECTED, REFUSED, "a NUL in the key", NO_NUL)
            else:
                undecided.append(row)
        return undecided

    def _first_of_each_key(self, rows: Sequence[int]) -> list[int]:
        keys = self._rows.keys
        return [row for at, row in enumerate(rows) if at == 0 or keys[rows[at - 1]] != keys[row]]

    def _still_undecided(self, rows: Sequence[int]) -> list[int]:
        return [row for row in rows if not self.codes[row]]

    async def _insert_once(self, rows: Sequence[int]) -> None:
        for at in range(0, len(rows), self._rows_per_statement):
            part = rows[at : at + self._rows_per_statement]
            if failure := await self._try(part):
                await self._isolate(part, failure)

    async def _try(self, rows: Sequence[int]) -> Failure | None:
        """Insert rows; a failure that a record may have caused is returned, any other raised."""
        try:
            inserted = await self._insert(rows)
        except SQLAlchemyError as error:
            failure = classify(error)
            if failure.kind is FailureKind.POISON:
                return failure
            raise
        for row in rows:
            if self._rows.keys[row] in inserted:
                self.codes[row] = WRITTEN
        return None

    async def _isolate(self, bad: Sequence[int], failure: Failure) -> None:
        """Bisect rows known to hold a bad one, each half its own statement."""
        if len(bad) == 1:
            self._refuse(bad[0], REJECTED, REFUSED, failure.reason, failure.sqlstate)
            return
        left, right = bad[: len(bad) // 2], bad[len(bad) // 2 :]
        left_failure = await self._try_half(left)
        if left_failure is None:
            # The failure came from the right half, so it is not tried whole.
            await self._isolate(right, failure)
            return
        await self._isolate(left, left_failure)
        if right_failure := await self._try_half(right):
            await self._isolate(right, right_failure)

    async def _try_half(self, rows: Sequence[int]) -> Failure | None:
        self.bisect_statements += 1
        return await self._try(rows)

    async def _look_up(self, rows: list[int]) -> list[int]:
        """Decide rows whose keys are stored; give back the others."""
        keys = self._first_of_each_key(rows)
        result = await self._connection.execute(
            SELECT_STORED, {"keys": [self._rows.keys[row] for row in keys]}
        )
        stored = {found.idempotency_key: found for found in result}
        for row in rows:
            if found := stored.get(self._rows.keys[row]):
                self._compare(row, found)
        return self._still_undecided(rows)

    def _compare(self, row: int, found: Row[tuple[str, bytes, str, int]]) -> None:
        if found.content_hash != self._rows.hashes[row]:
            self._refuse(row, CONFLICT, *OTHER_CONTENT)
        elif (found.submission_id, found.position) == (
            self._rows.submission_ids[row],
            self._rows.positions[row],
        ):
            self.codes[row] = WRITTEN
        else:
            self.codes[row] = DUPLICATE

    def _refuse(
        self, row: int, code: str, reason: str, detail: str, sqlstate: str | None = None
    ) -> None:
        self.codes[row] = code
        self.problems[row] = Problem(self._rows.positions[row], reason, detail, sqlstate)

    def dead_letters(self) -> list[DeadLetter]:
        """Make a letter of every record that was not stored."""
        rows = self._rows
        return [
            DeadLetter(
                key=rows.keys[row],
                source=rows.sources[row],
                line=min(rows.lines[row], LARGEST_LINE),
                record=rows.payloads[row],
                reason=problem.reason,
                detail=problem.detail,
                sqlstate=problem.sqlstate,
                requester=rows.requesters[row],
                run_label=rows.run_labels[row],
            )
            for row, problem in self.problems.items()
        ]


async def write_batch(
    engine: AsyncEngine,
    rows: Rows,
    stamp: Stamp,
    *,
    look_first: bool = False,
    rows_per_statement: int | None = None,
) -> Write:
    """Write rows with one bulk INSERT and whatever else they need, and decide each.

    What cannot be stored becomes dead letters.

    Args:
        engine: commits every statement by itself.
        rows: of any number of submissions, keys in any order and number.
        stamp: the batch, in every row.
        look_first: look all keys up before inserting; on a repetition most are there, and
            that takes a quarter of the time.
        rows_per_statement: cuts the INSERT into smaller ones, where a whole one takes too long.

    Raises:
        DatabaseFailedError: no record is to blame; all may be tried again.
    """
    with database_errors():
        async with engine.connect() as connection:

            async def insert(chosen: Sequence[int]) -> set[str]:
                inserted = await connection.execute(INSERT_ROWS, rows.arrays(chosen, stamp))
                return set(inserted.scalars())

            write = Write(connection, rows, insert, rows_per_statement or max(1, len(rows)))
            await write.run(look_first=look_first)
            await bury(connection, write.dead_letters(), stamp.batch_id)
    return write


async def write_unbatched(engine: AsyncEngine, rows: Rows) -> Write:
    """Write each row with an INSERT and a commit of its own, as a batch of one.

    Raises:
        DatabaseFailedError: no record is to blame; all may be tried again.
    """
    with database_errors():
        async with engine.connect() as connection:

            async def insert(chosen: Sequence[int]) -> set[str]:
                stamp = Stamp(uuid4(), WritePath.UNBATCHED, shard=0)
                inserted = await connection.execute(INSERT_ROW, rows.values(chosen[0], stamp))
                return set(inserted.scalars())

            write = Write(connection, rows, insert, rows_per_statement=1)
            await write.run()
            await bury(connection, write.dead_letters(), None)
    return write
