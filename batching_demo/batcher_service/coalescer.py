"""Hold the calls of many workflows until a batch is due, write them together, answer each.

Nothing here is durable: the server retries the calls of a worker that died, and a verdict depends
on the table alone.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from uuid import uuid4

from batching_demo.batcher_service.messages import BatchHeader
from batching_demo.batcher_service.verdicts import count
from batching_demo.contracts.messages import BatcherSettings, SubmissionHeader, Verdicts
from batching_demo.core.buffer import Buffer, FlushReason, Submission
from batching_demo.core.health import Health
from batching_demo.database.errors import DatabaseFailedError

NO_SHARD = 0
Write = Callable[[BatchHeader, Sequence[bytes]], Awaitable[list[Verdicts]]]
"""Writes a batch, and gives an answer to each of its submissions."""


class Coalescer:
    """Calls that wait, by the same rules as in a batcher.

    A call that comes again while its first attempt still waits shares that one's answer.
    """

    def __init__(self, settings: BatcherSettings, write: Write) -> None:
        self._settings = settings
        self._write_batch = write
        self._buffer = Buffer(settings)
        self._health = Health()
        self._answers: dict[str, asyncio.Future[Verdicts]] = {}
        self._repeated: set[str] = set()
        self._writes: set[asyncio.Task[None]] = set()
        self._look_again: asyncio.TimerHandle | None = None
        self._is_draining = False

    async def submit(
        self, headers: Sequence[SubmissionHeader], parts: Sequence[bytes], *, attempt: int = 1
    ) -> list[Verdicts]:
        """Wait until submissions are written, each with whatever else comes meanwhile.

        Raises:
            DatabaseFailedError: the batch that one of them was in failed.
        """
        now = time.time()
        answers = [
            self._park(Submission(header, part, now), attempt)
            for header, part in zip(headers, parts, strict=True)
        ]
        self._flush_soon(0.0)
        # Shielded: another attempt of a call that is cancelled may wait for the same answer.
        return list(await asyncio.gather(*map(asyncio.shield, answers)))

    def drain(self) -> None:
        """Let nothing wait any longer, now or later: the worker stops."""
        self._is_draining = True
        self._flush_soon(0.0)

    def _park(self, submission: Submission, attempt: int) -> asyncio.Future[Verdicts]:
        name = submission.header.submission_id
        if attempt > 1:
            self._repeated.add(name)
        if name not in self._answers:
            self._answers[name] = asyncio.get_running_loop().create_future()
            self._buffer.add(submission)
        return self._answers[name]

    def _flush_soon(self, seconds: float) -> None:
        """Look at what is due after some time; at once is after all calls that came together."""
        if self._look_again:
            self._look_again.cancel()
        # In a context of its own: a batch belongs to no one of the calls that are in it.
        self._look_again = asyncio.get_running_loop().call_later(
            seconds, self._flush, context=Context()
        )

    def _flush(self) -> None:
        """Start whatever writes are due, and come back when time makes another one due."""
        now = time.time()
        while self._may_write(now) and (reason := self._reason(now)):
            task = asyncio.create_task(self._write(reason, self._buffer.take()))
            self._writes.add(task)
            task.add_done_callback(self._written)
        if not self._is_busy and (next_at := self._next_at(now)):
            self._flush_soon(next_at - now)

    def _written(self, write: asyncio.Task[None]) -> None:
        self._writes.discard(write)
        self._flush_soon(0.0)

    def _next_at(self, now: float) -> float | None:
        """Tell when time alone lets a batch be written."""
        due_at = self._buffer.due_at()
        if due_at is None:
            return None
        return self._health.retry_at if self._reason(now) else max(due_at, self._health.retry_at)

    def _reason(self, now: float) -> FlushReason | None:
        if self._is_draining and len(self._buffer):
            return FlushReason.DRAIN
        return self._buffer.is_due(now)

    @property
    def _is_busy(self) -> bool:
        """Whether a write has to end before another one may start."""
        return len(self._writes) >= (1 if self._health.is_failing else self._settings.max_in_flight)

    def _may_write(self, now: float) -> bool:
        return not self._is_busy and (self._is_draining or self._health.retry_at <= now)

    async def _write(self, reason: FlushReason, batch: Sequence[Submission]) -> None:
        names = [submission.header.submission_id for submission in batch]
        waiting = [self._answers[name] for name in names]
        try:
            answers = await self._write_batch(
                self._header(reason, batch), [submission.records for submission in batch]
            )
        except Exception as error:  # whatever it is, those who wait have to hear of it
            self._note_failure(error)
            for future in waiting:
                future.set_exception(error)
        else:
            self._health.wrote(time.time(), all_refused=count(answers).all_refused)
            for future, answer in zip(waiting, answers, strict=True):
                future.set_result(answer)
        self._buffer.settle(batch)
        self._repeated.difference_update(names)
        for name in names:
            del self._answers[name]

    def _header(self, reason: FlushReason, batch: Sequence[Submission]) -> BatchHeader:
        headers = [submission.header for submission in batch]
        repeated = any(header.submission_id in self._repeated for header in headers)
        return BatchHeader(
            batch_id=str(uuid4()),
            shard=NO_SHARD,
            reason=reason,
            submissions=headers,
            attempt=2 if repeated else 1,
            oldest_at=min(submission.received_at for submission in batch),
            rows_per_statement=self._health.rows_per_statement(
                sum(header.records for header in headers)
            ),
        )

    def _note_failure(self, error: Exception) -> None:
        sqlstate = error.failure.sqlstate if isinstance(error, DatabaseFailedError) else None
        self._health.failed(str(error), sqlstate, time.time())
