"""Find dead letters, and record what happened to them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, ColumnElement, any_, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.database.encoding import Encoding, encoding_of
from batching_demo.database.models import dead_letters


class Status(StrEnum):
    """What is to be done about a dead letter."""

    OPEN = "open"
    RETRIED = "retried"
    """Nothing: its record is stored, or stale."""
    DISCARDED = "discarded"
    """Nothing: nobody wants it stored."""


@dataclass(frozen=True)
class Selection:
    """Which dead letters; what is not set selects all."""

    ids: tuple[int, ...] = ()
    source: str | None = None
    reason: str | None = None
    target: str | None = None
    status: Status | None = None

    def conditions(self, encoding: Encoding) -> list[ColumnElement[bool]]:
        """Return the same in SQL, for a database with this encoding."""
        letter = dead_letters.c
        conditions: list[ColumnElement[bool]] = []
        if self.ids:
            conditions.append(_one_of(self.ids))
        if self.source is not None:
            conditions.append(letter.source == encoding.escape(self.source))
        if self.reason is not None:
            conditions.append(letter.reason == encoding.escape(self.reason))
        if self.target is not None:
            conditions.append(letter.target == encoding.escape(self.target))
        if self.status is not None:
            conditions.append(letter.status == self.status.value)
        return conditions


@dataclass(frozen=True, slots=True)
class StoredDeadLetter:
    """One dead letter, without its record."""

    id: int
    target: str
    key: str | None
    source: str
    line: int
    reason: str
    detail: str
    sqlstate: str | None
    requester: str
    run_label: str
    batch_id: UUID | None
    truncated: bool
    status: str
    attempts: int
    first_seen: datetime
    last_seen: datetime


_letter = dead_letters.c
_COLUMNS: tuple[Column[Any], ...] = (
    _letter.id,
    _letter.target,
    _letter.idempotency_key,
    _letter.source,
    _letter.line,
    _letter.reason,
    _letter.detail,
    _letter.sqlstate,
    _letter.requester,
    _letter.run_label,
    _letter.batch_id,
    _letter.truncated,
    _letter.status,
    _letter.attempts,
    _letter.first_seen,
    _letter.last_seen,
)


def _one_of(ids: Sequence[int]) -> ColumnElement[bool]:
    return _letter.id == any_(bindparam("ids", list(ids), type_=ARRAY(BigInteger)))


async def find_dead_letters(
    engine: AsyncEngine, selection: Selection, limit: int | None = None
) -> list[StoredDeadLetter]:
    """Return dead letters, the oldest first."""
    query = select(*_COLUMNS).order_by(_letter.id).limit(limit)
    async with engine.connect() as connection:
        encoding = encoding_of(connection)
        found = await connection.execute(query.where(*selection.conditions(encoding)))
        return [_as_it_was(StoredDeadLetter(*row), encoding) for row in found]


async def count_dead_letters(engine: AsyncEngine, selection: Selection) -> int:
    """Count dead letters."""
    query = select(func.count()).select_from(dead_letters)
    async with engine.connect() as connection:
        conditions = selection.conditions(encoding_of(connection))
        return (await connection.execute(query.where(*conditions))).scalar_one()


async def count_by_status(engine: AsyncEngine) -> dict[str, int]:
    """Count all dead letters by status; a status that none has counts 0."""
    query = select(_letter.status, func.count()).group_by(_letter.status)
    async with engine.connect() as connection:
        found = (await connection.execute(query)).all()
    return {status.value: 0 for status in Status} | {row[0]: row[1] for row in found}


async def read_dead_letter(
    engine: AsyncEngine, dead_letter_id: int
) -> tuple[StoredDeadLetter, str] | None:
    """Return one dead letter and its record."""
    query = select(_letter.record, *_COLUMNS).where(_letter.id == dead_letter_id)
    async with engine.connect() as connection:
        encoding = encoding_of(connection)
        row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    record, *columns = row
    return _as_it_was(StoredDeadLetter(*columns), encoding), record


def _as_it_was(letter: StoredDeadLetter, encoding: Encoding) -> StoredDeadLetter:
    """Return a dead letter with the texts that it had before they were escaped for storing."""
    return replace(
        letter,
        key=None if letter.key is None else encoding.unescape(letter.key),
        source=encoding.unescape(letter.source),
        reason=encoding.unescape(letter.reason),
        requester=encoding.unescape(letter.requester),
        run_label=encoding.unescape(letter.run_label),
        target=encoding.unescape(letter.target),
    )


async def find_by_identity(engine: AsyncEngine, identity: bytes) -> int | None:
    """Return the id of the dead letter with an identity."""
    query = select(_letter.id).where(_letter.identity == identity)
    async with engine.connect() as connection:
        return (await connection.execute(query)).scalar_one_or_none()


async def discard_dead_letters(engine: AsyncEngine, ids: Sequence[int]) -> list[int]:
    """Discard the open ones of these dead letters, and return which those were."""
    discard = (
        update(dead_letters)
        .where(_one_of(ids), _letter.status == Status.OPEN.value)
        .values(status=Status.DISCARDED.value)
        .returning(_letter.id)
    )
    async with engine.connect() as connection:
        return sorted((await connection.execute(discard)).scalars())


async def record_attempt(
    engine: AsyncEngine, dead_letter_id: int, attempt: int, *, is_done: bool
) -> None:
    """Record how an attempt ended; a dead letter that nothing is left to be done about is retried.

    Recording the same attempt twice changes nothing more.
    """
    change = (
        update(dead_letters)
        .where(_letter.id == dead_letter_id)
        .values(attempts=func.greatest(_letter.attempts, attempt), last_seen=func.now())
    )
    if is_done:
        change = change.values(status=Status.RETRIED.value)
    async with engine.connect() as connection:
        await connection.execute(change)
