"""Store rows, and find out which of them Postgres refuses, and whether the rows are to blame.

The SQLSTATE only says what is tried first. A trigger may raise any code for one record, and a
missing privilege fails a record with the same code as a row level security policy. So rows that
fail are halved until those that fail alone are found, and compared with rows that pass.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from batching_demo.database.errors import (
    DatabaseFailedError,
    Failure,
    FailureKind,
    classify,
    sqlstate_of,
)
from batching_demo.database.writing.answers import Answers

ATTEMPTS_BEFORE_BLAME = 3
"""Failed attempts after which a record may be blamed for a code that is the server's own."""
ATTEMPTS_BEFORE_BLAME_AFTER_WAITING = 10
"""The same if it failed only after a wait. Then another session may hold a lock on its key."""
WAIT_SECONDS = 5.0
"""A statement that fails later than this has waited. Our lock_timeout is longer."""
LONGEST_HALVING_SECONDS = 25.0
"""After so long a write halves no rows for a code of the server's own. It is longer than two lock
timeouts, so that both halves are tried, and leaves time for one more statement timeout within the
time that an activity may take."""
PAUSE_SECONDS = 1.0
"""Before rows that failed alone with such a code are tried once more."""
RESOURCES = "53"
"""The SQLSTATE class of a full disk. A record is never to blame for it: smaller ones may pass."""


@dataclass(frozen=True)
class _Failed:
    """How a statement has failed."""

    failure: Failure
    seconds: float

    @property
    def is_servers(self) -> bool:
        return self.failure.kind is FailureKind.OUTAGE

    @property
    def has_waited_for_server(self) -> bool:
        """Whether it may have waited for a lock that another session holds."""
        return self.is_servers and self.seconds >= WAIT_SECONDS


class Inserter:
    """Stores the rows of one write with one kind of statement: an INSERT, or one that changes rows.

    Args:
        send: Sends a statement for rows. Without rows, it only tries whether the statement works.
        cast: Casts the values of rows, and stores nothing.
        takes_a_copy: Returns whether Postgres takes another row than those of the write.
        rows_per_statement: The most rows of one statement.
        attempt: Which attempt at the write this is, from 1.
    """

    def __init__(
        self,
        send: Callable[[Sequence[int]], Awaitable[Answers]],
        cast: Callable[[Sequence[int]], Awaitable[None]],
        takes_a_copy: Callable[[], Awaitable[bool]],
        rows_per_statement: int,
        attempt: int,
    ) -> None:
        self.halving_statements = 0
        """How many statements it took to find out which rows are refused."""
        self._refusals: dict[int, Failure] = {}
        self._send = send
        self._cast = cast
        self._asks_for_a_copy = takes_a_copy
        self._rows_per_statement = rows_per_statement
        self._attempt = attempt
        self._began = time.monotonic()
        self._answers: list[Answers] = []
        self._suspects: dict[int, _Failed] = {}
        self._statement_works = False
        self._has_stored = False
        self._takes_a_copy = False

    async def store(self, rows: Sequence[int]) -> Answers:
        """Store rows, and return what the statements answer. `take_refusals` has the others.

        Args:
            rows: The numbers of candidates, in order.

        Raises:
            SQLAlchemyError: A statement failed, and no record is to blame.
            DatabaseFailedError: The same.
        """
        self._answers = []
        for part in self._parts(rows):
            if failed := await self._try(part):
                await self._check_statement(failed)
                await self._isolate(part, failed)
                if not self._has_time:
                    await self._judge()
        if self._suspects:
            await self._judge()
        return Answers.joined(self._answers)

    def _parts(self, rows: Sequence[int]) -> Iterator[Sequence[int]]:
        """Cut rows into those of one statement each.

        The order differs from attempt to attempt: a part that takes all the time there is must not
        keep the same others from being tried.
        """
        starts = range(0, len(rows), self._rows_per_statement)
        for at in starts if self._attempt % 2 else reversed(starts):
            yield rows[at : at + self._rows_per_statement]

    def take_refusals(self) -> dict[int, Failure]:
        """Return the rows that are to blame for failures since the last call, by their numbers."""
        refusals, self._refusals = self._refusals, {}
        return refusals

    async def _try(self, rows: Sequence[int]) -> _Failed | None:
        """Store rows. Return the failure if a record may be to blame; None if there is none.

        Raises:
            SQLAlchemyError: The statement failed, and no record may be to blame.
        """
        began = time.monotonic()
        try:
            answers = await self._send(rows)
        except SQLAlchemyError as error:
            failure = classify(error)
            if failure.kind is FailureKind.OUTAGE and not self._may_be_a_records(error, rows):
                raise
            return _Failed(failure, time.monotonic() - began)
        self._answers.append(answers)
        self._has_stored |= bool(answers.codes)
        return None

    def _may_be_a_records(self, error: SQLAlchemyError, rows: Sequence[int]) -> bool:
        """Return whether a record may be to blame for a failure that is the server's by its code.

        It may if the server goes on answering, and if the write has failed again and again. If
        there are several, it takes time to find it.
        """
        sqlstate = sqlstate_of(error)
        if sqlstate is None or sqlstate.startswith(RESOURCES) or _is_lost(error):
            return False
        return self._attempt > ATTEMPTS_BEFORE_BLAME and (self._has_time or len(rows) == 1)

    @property
    def _has_time(self) -> bool:
        return time.monotonic() - self._began < LONGEST_HALVING_SECONDS

    async def _check_statement(self, failed: _Failed) -> None:
        """Send no rows, once in a write, if the failure may have nothing to do with the rows.

        Raises:
            SQLAlchemyError: That fails too, so no record is to blame.
        """
        if failed.failure.kind is not FailureKind.POISON and not self._statement_works:
            self.halving_statements += 1
            await self._send([])
            self._statement_works = True

    async def _isolate(self, bad: Sequence[int], failed: _Failed) -> None:
        """Find the rows that fail alone among rows that hold at least one, and store the others.

        Each half is a statement of its own, and is halved again if it fails. Both are tried before
        that, so that good rows are stored even if no time is left for the others. A row is refused
        if the failure is a record's own by its code. Otherwise `_judge` decides.

        Args:
            bad: Rows that one statement could not store, or the half of them with a bad one.
            failed: How that statement has failed.
        """
        if len(bad) == 1:
            if failed.failure.kind is FailureKind.POISON:
                self._refusals[bad[0]] = failed.failure
            else:
                self._suspects[bad[0]] = failed
            return
        left, right = bad[: len(bad) // 2], bad[len(bad) // 2 :]
        left_failed = await self._try_half(left)
        if left_failed is None:
            # So a bad row is in the right half. To try that as a whole would be in vain.
            await self._isolate(right, failed)
            return
        right_failed = await self._try_half(right)
        await self._isolate(left, left_failed)
        if right_failed:
            await self._isolate(right, right_failed)

    async def _try_half(self, rows: Sequence[int]) -> _Failed | None:
        self.halving_statements += 1
        return await self._try(rows)

    async def _judge(self) -> None:
        """Blame the rows that fail alone once more, if others pass or their values fail too.

        Raises:
            DatabaseFailedError: Neither is so: the schema or the server is to blame.
        """
        suspects, self._suspects = self._suspects, {}
        for row, failed in suspects.items():
            if not await self._is_to_blame(row, failed):
                raise DatabaseFailedError(failed.failure)
        if any(failed.is_servers for failed in suspects.values()):
            await asyncio.sleep(PAUSE_SECONDS)
        for row, failed in suspects.items():
            if failed.has_waited_for_server and not self._has_time:
                # It has failed so in many attempts, and one more would take as long again.
                self._refusals[row] = failed.failure
            # What was not the fault of the row may be over by now, such as a stale plan.
            elif failed_again := await self._try_half([row]):
                self._refusals[row] = failed_again.failure

    async def _is_to_blame(self, row: int, failed: _Failed) -> bool:
        """Return whether it is the row that fails: others pass, or its own values do not."""
        if failed.has_waited_for_server and self._attempt <= ATTEMPTS_BEFORE_BLAME_AFTER_WAITING:
            return False
        if not (self._has_stored or self._takes_a_copy):
            self._takes_a_copy = await self._asks_for_a_copy()
        return self._has_stored or self._takes_a_copy or await self._has_a_bad_value(row, failed)

    async def _has_a_bad_value(self, row: int, failed: _Failed) -> bool:
        """Return whether a value of a row cannot be cast, whatever its table does with it.

        Types such as `tsquery`, `ltree` and `regclass` refuse a text with the code of a statement
        that is wrong.
        """
        try:
            await self._cast([row])
        except SQLAlchemyError as error:
            return sqlstate_of(error) == failed.failure.sqlstate
        return False


def _is_lost(error: SQLAlchemyError) -> bool:
    return isinstance(error, DBAPIError) and error.connection_invalidated
