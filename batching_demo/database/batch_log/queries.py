"""Find entries of the log of batches."""

from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Uuid, any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.database.encoding import Encoding, encoding_of
from batching_demo.database.models import batches


@dataclass(frozen=True)
class EntrySelection:
    """Which entries; what is not set selects all."""

    batch_id: UUID | None = None
    shard: int | None = None
    target: str | None = None
    write_path: str | None = None
    reason: str | None = None

    def conditions(self, encoding: Encoding) -> list[ColumnElement[bool]]:
        """Return the same in SQL, for a database with this encoding."""
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        if self.target is not None:
            given["target"] = encoding.escape(self.target)
        return [batches.c[name] == value for name, value in given.items() if value is not None]


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry: an INSERT that has committed."""

    batch_id: UUID
    part: int
    shard: int | None
    target: str
    write_path: str
    reason: str
    attempt: int
    records: int
    written: int
    duplicate: int | None
    conflict: int | None
    rejected: int | None
    milliseconds: int | None
    worker: str
    written_at: datetime


_COLUMNS = [batches.c[one.name] for one in fields(LogEntry)]
_BATCHES = func.count(batches.c.batch_id.distinct())
_REASONS = (
    select(batches.c.reason, _BATCHES)
    .where(batches.c.batch_id == any_(bindparam("ids", type_=ARRAY(Uuid))))
    .group_by(batches.c.reason)
    .order_by(_BATCHES.desc(), batches.c.reason)
)


async def find_entries(
    engine: AsyncEngine, selection: EntrySelection, limit: int
) -> list[LogEntry]:
    """Return entries, the newest first."""
    query = (
        select(*_COLUMNS).order_by(batches.c.written_at.desc(), batches.c.id.desc()).limit(limit)
    )
    async with engine.connect() as connection:
        encoding = encoding_of(connection)
        found = await connection.execute(query.where(*selection.conditions(encoding)))
        return [_as_it_was(LogEntry(*row), encoding) for row in found]


async def count_entries(engine: AsyncEngine, selection: EntrySelection) -> int:
    """Count entries."""
    query = select(func.count()).select_from(batches)
    async with engine.connect() as connection:
        conditions = selection.conditions(encoding_of(connection))
        return (await connection.execute(query.where(*conditions))).scalar_one()


def _as_it_was(entry: LogEntry, encoding: Encoding) -> LogEntry:
    """Return an entry with the names that it had before they were escaped for storing."""
    target, worker = encoding.unescape(entry.target), encoding.unescape(entry.worker)
    return replace(entry, target=target, worker=worker)


async def count_reasons(engine: AsyncEngine, batch_ids: Collection[UUID]) -> dict[str, int]:
    """Count batches by their flush reason, the most frequent first. Some may not be in the log."""
    async with engine.connect() as connection:
        found = await connection.execute(_REASONS, {"ids": list(batch_ids)})
        return {reason: int(number) for reason, number in found}
