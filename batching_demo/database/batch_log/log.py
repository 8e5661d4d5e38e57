"""The log of batches, as one worker writes it.

An INSERT writes its own entry. How many records were duplicates, and how long the write took, is
known only after it. One statement adds that for many writes, a while later, and no write waits for
it. If the worker dies before, these columns stay NULL.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextvars import Context
from time import monotonic
from typing import Any

from sqlalchemy import Integer, Text, Update, Uuid, bindparam, func, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.types import TypeEngine

from batching_demo.contracts.messages import Verdict
from batching_demo.database.encoding import Encoding
from batching_demo.database.errors import DatabaseFailedError, database_errors
from batching_demo.database.models import batches
from batching_demo.database.writing.rows import BatchInfo

LATER_SECONDS = 10.0
"""How long results are gathered before they are added to their entries."""
COUNTED = {
    verdict.value: verdict.value[0]
    for verdict in (Verdict.DUPLICATE, Verdict.CONFLICT, Verdict.REJECTED)
}
"""The verdicts that an entry has a column for, with their codes. The INSERT itself counts what it
has written."""
KEYS: Mapping[str, type[TypeEngine[Any]]] = {"batch_id": Uuid, "target": Text, "attempt": Integer}
"""Columns that tell the writes apart."""
RESULTS = (*COUNTED, "milliseconds")
PARAMETERS = {name: f"{name}s" for name in (*KEYS, *RESULTS)}
"""The arrays of the later statement, by the column that each is for."""
logger = logging.getLogger(__name__)


class LoggedWrite:
    """A write whose INSERTs write entries.

    Args:
        batch: What all its rows have in common.
        target: The name of the target.
        attempt: Which attempt at the batch it is, from 1.
        worker: The name of the worker.
    """

    def __init__(self, batch: BatchInfo, target: str, attempt: int, worker: str) -> None:
        self.parts = 0
        """INSERTs of records that have committed."""
        self._keys = (batch.batch_id, target, attempt)
        self._began = monotonic()
        # Spelled out, since each batch takes the time for it.
        self._parameters: dict[str, object] = {
            "log_batch_id": batch.batch_id,
            "log_shard": batch.shard,
            "log_target": target,
            "log_write_path": batch.write_path,
            "log_reason": batch.reason,
            "log_attempt": attempt,
            "log_worker": worker,
        }

    def parameters(self, records: int) -> dict[str, object]:
        """Return the parameters of the entry of the next INSERT.

        Args:
            records: How many it is to insert. With none it gets no entry.
        """
        return {**self._parameters, "log_part": self.parts + 1, "log_records": records}

    def committed(self, records: int) -> None:
        """Count an INSERT that has committed.

        Args:
            records: How many it was to insert.
        """
        self.parts += records > 0

    def result(self, codes: Sequence[str]) -> tuple[object, ...]:
        """Return the values of `KEYS` and of `RESULTS`, once the write has ended.

        Args:
            codes: The first character of the verdict of each record.
        """
        counts = (codes.count(code) for code in COUNTED.values())
        return (*self._keys, *counts, round((monotonic() - self._began) * 1000))


class BatchLog:
    """The log of batches of one worker.

    Args:
        engine: Commits every statement by itself.
        worker: Names the worker in its entries.
    """

    def __init__(self, engine: AsyncEngine, worker: str) -> None:
        self._engine = engine
        self._worker = worker
        self._results: list[tuple[object, ...]] = []
        self._adding: asyncio.Task[None] | None = None

    def begin(self, batch: BatchInfo, target: str, attempt: int, encoding: Encoding) -> LoggedWrite:
        """Return a write that begins now.

        Args:
            batch: What all its rows have in common.
            target: The name of the target.
            attempt: Which attempt at the batch it is, from 1.
            encoding: Of the database. A name that it cannot hold must not fail the INSERT.
        """
        return LoggedWrite(batch, encoding.escape(target), attempt, encoding.escape(self._worker))

    def end(self, write: LoggedWrite, codes: Sequence[str]) -> None:
        """Have the result of a write added to its first entry within some seconds.

        Args:
            write: What `begin` has returned.
            codes: The first character of the verdict of each record.
        """
        if not write.parts:
            return
        self._results.append(write.result(codes))
        if self._adding is None:
            # In a context of its own: it belongs to no activity, and must not log as one.
            self._adding = asyncio.create_task(self._add_later(), context=Context())

    async def _add_later(self) -> None:
        await asyncio.sleep(LATER_SECONDS)
        self._adding = None
        await self.add_results()

    async def close(self) -> None:
        """Add what is still to be added: the worker has ended."""
        if self._adding:
            self._adding.cancel()
            self._adding = None
        await self.add_results()

    async def add_results(self) -> None:
        """Add the results of all writes that have ended, now. If that fails, they are dropped."""
        results, self._results = self._results, []
        if not results:
            return
        columns = map(list, zip(*results, strict=True))
        try:
            with database_errors():
                async with self._engine.connect() as connection:
                    arrays = dict(zip(PARAMETERS.values(), columns, strict=True))
                    await connection.execute(ADD_RESULTS, arrays)
        except DatabaseFailedError as error:
            logger.warning(
                "the log of batches lacks duplicates and times of %d writes: %s",
                len(results),
                error,
            )


def _add_results() -> Update:
    """Return the UPDATE of entries. A result is that of a whole write; its first part gets it."""
    types = {**KEYS, **dict.fromkeys(RESULTS, Integer)}
    result = (
        func.unnest(
            *(bindparam(PARAMETERS[name], type_=ARRAY(type_)) for name, type_ in types.items())
        )
        .table_valued(*types)
        .render_derived(name="result")
    )
    return (
        update(batches)
        .where(*(batches.c[name] == result.c[name] for name in KEYS), batches.c.part == 1)
        .values({name: result.c[name] for name in RESULTS})
    )


ADD_RESULTS = _add_results()
