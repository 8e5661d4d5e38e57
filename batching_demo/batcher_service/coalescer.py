"""Hold the calls of many workflows until a batch is due, write them together, and answer each.

Nothing here is durable. If the worker dies, the server retries the calls, and the verdicts stay the
same, since they depend on the table and the records alone.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import replace
from math import inf
from uuid import uuid4

from batching_demo.contracts.batches import BatchHeader, BatchResult
from batching_demo.contracts.messages import Submission, Verdicts
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.core.buffer import Identity, attempt_after, identity_of
from batching_demo.core.flusher import Batch, Flusher
from batching_demo.core.health import is_about_rows
from batching_demo.database.errors import DatabaseFailedError

MOST_REMEMBERED = 10_000
"""Submissions whose failed attempts are known. Their calls may go to another worker."""
LONGEST_WRITE_SECONDS = 60.0
"""What a call keeps of its time for the write itself; of a short time it keeps half."""
Write = Callable[[BatchHeader, Sequence[Submission]], Awaitable[list[Verdicts]]]
"""Writes a batch, and returns the verdicts of each of its submissions."""


class Coalescer:
    """The calls that wait in a worker. They are flushed by the same policy as in a batcher.

    If the server makes another attempt at a call while the first one still waits, both get the same
    answer.

    Args:
        settings: When a batch is due.
        write: Writes a batch.
    """

    def __init__(self, settings: BatcherSettings, write: Write) -> None:
        self._write_batch = write
        self._flusher = Flusher(settings)
        self._answers: dict[Identity, asyncio.Future[Verdicts]] = {}
        self._attempts: dict[Identity, int] = {}
        """By submission whose write has failed here, which attempt the next one is. The server
        counts the attempts of a call, those of an outage included."""
        self._writes: set[asyncio.Task[None]] = set()
        self._wake_up: asyncio.TimerHandle | None = None

    async def submit(
        self, submissions: Sequence[Submission], *, attempt: int = 1, seconds: float = inf
    ) -> list[Verdicts]:
        """Wait until submissions are written in batches with others, and return their verdicts.

        Args:
            submissions: The submissions of one call.
            attempt: The attempt of the call, from 1.
            seconds: How long the attempt may take. If the linger is longer, they do not wait for
                it, or no attempt might ever get the answer.

        Raises:
            DatabaseFailedError: The write of a batch with one of them has failed.
        """
        now = time.time()
        due_by = now + seconds - min(seconds / 2, LONGEST_WRITE_SECONDS)
        answers = [
            self._park(replace(submission, received_at=now), attempt, due_by)
            for submission in submissions
        ]
        self._flush_in(0.0)
        # Shielded: another attempt of a call that is cancelled may wait for the same answer.
        return list(await asyncio.gather(*map(asyncio.shield, answers)))

    def drain(self) -> None:
        """Write what waits, and whatever comes later, at once: the worker stops."""
        self._flusher.control.drain(time.time())
        self._flush_in(0.0)

    def _park(
        self, submission: Submission, attempt: int, due_by: float
    ) -> asyncio.Future[Verdicts]:
        """Buffer a submission unless it is known, and return the future of its answer."""
        identity = identity_of(submission)
        attempt = self._attempts.get(identity, min(attempt, 2))
        if self._flusher.buffer.add(submission, attempt, due_by=due_by):
            self._answers[identity] = asyncio.get_running_loop().create_future()
        return self._answers[identity]

    def _flush_in(self, seconds: float) -> None:
        """Flush after some seconds what is due then.

        Even 0 seconds let the calls that have come together get into the same batch.
        """
        if self._wake_up:
            self._wake_up.cancel()
        # In a context of its own: a batch belongs to none of its calls, and must not log as one.
        self._wake_up = asyncio.get_running_loop().call_later(
            seconds, self._flush, context=Context()
        )

    def _flush(self) -> None:
        """Start the writes that are due, and set a timer for the next one."""
        now = time.time()
        if self._flusher.control.is_closed:
            # A worker that stops cannot wait until a failing database is tried again.
            self._flusher.health.retry_now()
        while reason := self._flusher.due(now):
            batch = self._flusher.take(str(uuid4()), reason, now)
            task = asyncio.create_task(self._write(batch))
            self._writes.add(task)
            task.add_done_callback(self._written)
        wake_at = self._flusher.wake_at(now)
        if wake_at is not None:
            self._flush_in(wake_at - now)

    def _written(self, write: asyncio.Task[None]) -> None:
        self._writes.discard(write)
        self._flush_in(0.0)

    async def _write(self, batch: Batch) -> None:
        identities = [identity_of(submission) for submission in batch.submissions]
        waiting = [self._answers[identity] for identity in identities]
        try:
            answers = await self._write_batch(batch.header, batch.submissions)
        except Exception as error:  # those who wait would wait for ever
            self._failed(batch, error)
            for future in waiting:
                future.set_exception(error)
                # asyncio logs a failure that nobody reads, and every call may be cancelled by now.
                future.exception()
        else:
            all_refused = BatchResult.of(answers).all_refused
            self._flusher.wrote(batch, time.time(), all_refused=all_refused)
            for future, answer in zip(waiting, answers, strict=True):
                future.set_result(answer)
            for identity in identities:
                self._attempts.pop(identity, None)
        for identity in identities:
            del self._answers[identity]

    def _failed(self, batch: Batch, error: Exception) -> None:
        """Note that a write has failed, and forget its batch."""
        sqlstate = error.failure.sqlstate if isinstance(error, DatabaseFailedError) else None
        if len(self._attempts) > MOST_REMEMBERED:
            self._attempts.clear()
        after = attempt_after(batch.header.attempt, counts=is_about_rows(sqlstate))
        self._attempts |= dict.fromkeys(map(identity_of, batch.submissions), after)
        # Not requeued: the server retries each of the calls.
        self._flusher.failed(batch, str(error), sqlstate, time.time(), requeue=False)
