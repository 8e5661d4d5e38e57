"""Calls that wait for each other: when they are written, and what each of them hears."""

import asyncio
import gc
from collections.abc import Sequence
from dataclasses import replace
from math import inf

import pytest

from batching_demo.batcher_service.coalescer import Coalescer
from batching_demo.contracts.batches import BatchHeader
from batching_demo.contracts.messages import Problem, Submission, SubmissionHeader, Verdicts
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.core.health import REFUSALS_BEFORE_HOLDING
from batching_demo.database.errors import DatabaseFailedError, Failure, FailureKind
from tests.support.waiting import in_time

FAR_AWAY = BatcherSettings(max_records=4, linger_seconds=60)
OUTAGE = DatabaseFailedError(Failure(FailureKind.OUTAGE, "the server is gone", "57P01"))


class Writer:
    """Says that all was written, once it may."""

    def __init__(self) -> None:
        self.batches: list[BatchHeader] = []
        self.may_finish = asyncio.Event()
        self.may_finish.set()
        self.failures: list[Exception] = []

    async def __call__(
        self, batch: BatchHeader, submissions: Sequence[Submission]
    ) -> list[Verdicts]:
        self.batches.append(batch)
        await self.may_finish.wait()
        if self.failures:
            raise self.failures.pop()
        assert batch.submissions == [submission.header for submission in submissions]
        return [Verdicts(one.submission_id, "w" * one.records) for one in batch.submissions]

    @property
    def names(self) -> list[list[str]]:
        return [[header.submission_id for header in batch.submissions] for batch in self.batches]


def call(
    coalescer: Coalescer, name: str, records: int = 1, *, attempt: int = 1, seconds: float = inf
) -> asyncio.Task[list[Verdicts]]:
    header = SubmissionHeader(name, "requester", records, 10)
    submissions = [Submission(header, bytes(10))]
    return asyncio.create_task(coalescer.submit(submissions, attempt=attempt, seconds=seconds))


async def test_a_full_batch_is_written_and_each_call_hears_its_own() -> None:
    writer = Writer()
    coalescer = Coalescer(FAR_AWAY, writer)
    answers = await asyncio.gather(*(call(coalescer, name, 2) for name in "ab"))
    assert [(one.submission_id, one.codes) for (one,) in answers] == [("a", "ww"), ("b", "ww")]
    assert [batch.reason for batch in writer.batches] == ["records"]


async def test_a_batch_that_does_not_fill_is_written_after_the_linger() -> None:
    writer = Writer()
    coalescer = Coalescer(BatcherSettings(max_records=100, linger_seconds=0.05), writer)
    await asyncio.gather(*(call(coalescer, name) for name in "abc"))
    assert writer.names == [["a", "b", "c"]]
    assert [batch.reason for batch in writer.batches] == ["age"]


async def test_a_call_that_may_not_take_long_waits_for_no_linger() -> None:
    writer = Writer()
    coalescer = Coalescer(replace(FAR_AWAY, linger_seconds=3_600), writer)
    patient, hasty = call(coalescer, "a"), call(coalescer, "b", seconds=0.05)
    await in_time(asyncio.gather(patient, hasty))
    assert writer.names == [["a", "b"]]
    later = call(coalescer, "c", seconds=600)
    await asyncio.sleep(0.05)
    assert len(writer.batches) == 1
    coalescer.drain()
    await later


async def test_without_linger_calls_gather_while_the_writer_is_busy() -> None:
    writer = Writer()
    writer.may_finish.clear()
    settings = BatcherSettings(max_records=100, linger_seconds=0, max_in_flight=1)
    coalescer = Coalescer(settings, writer)
    first = call(coalescer, "a")
    while not writer.batches:
        await asyncio.sleep(0)
    others = [call(coalescer, name) for name in "bcd"]
    await asyncio.sleep(0.02)
    assert writer.names == [["a"]]
    writer.may_finish.set()
    await asyncio.gather(first, *others)
    assert writer.names == [["a"], ["b", "c", "d"]]
    assert [batch.reason for batch in writer.batches] == ["idle", "idle"]


async def test_with_a_budget_a_quiet_worker_writes_at_once() -> None:
    writer = Writer()
    coalescer = Coalescer(replace(FAR_AWAY, max_writes_per_second=20), writer)
    await call(coalescer, "a")
    await asyncio.gather(*(call(coalescer, name) for name in "bcd"))
    assert writer.names == [["a"], ["b", "c", "d"]]
    assert [batch.reason for batch in writer.batches] == ["budget", "budget"]


async def test_a_worker_that_stops_keeps_nobody_waiting() -> None:
    writer = Writer()
    coalescer = Coalescer(FAR_AWAY, writer)
    waiting = call(coalescer, "a")
    await asyncio.sleep(0.02)
    coalescer.drain()
    await waiting
    await call(coalescer, "late")
    assert [batch.reason for batch in writer.batches] == ["drain", "drain"]


async def test_a_repeated_call_shares_the_answer_of_the_first() -> None:
    writer = Writer()
    coalescer = Coalescer(FAR_AWAY, writer)
    first = call(coalescer, "a")
    await asyncio.sleep(0)
    first.cancel()
    again = call(coalescer, "a", attempt=2)
    await asyncio.sleep(0.02)
    assert not writer.batches
    coalescer.drain()
    ((answer,),) = [await again]
    assert answer.codes == "w"
    assert writer.names == [["a"]]
    assert writer.batches[0].attempt == 2


async def test_a_failure_that_no_call_waits_for_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    writer = Writer()
    # A new one: that of the other tests would keep its traceback, and with it the answer.
    writer.failures = [DatabaseFailedError(OUTAGE.failure)]
    coalescer = Coalescer(replace(FAR_AWAY, max_records=1), writer)
    writer.may_finish.clear()
    cancelled = call(coalescer, "a")
    while not writer.batches:
        await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.wait([cancelled])
    writer.may_finish.set()
    await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()})
    del cancelled
    gc.collect()
    assert caplog.records == []


async def test_a_failure_reaches_every_call_of_its_batch_and_holds_up_the_next() -> None:
    writer = Writer()
    writer.failures = [OUTAGE]
    coalescer = Coalescer(BatcherSettings(max_records=2, linger_seconds=0), writer)
    results = await asyncio.gather(*(call(coalescer, n) for n in "ab"), return_exceptions=True)
    assert results == [OUTAGE, OUTAGE]
    began = asyncio.get_running_loop().time()
    await asyncio.gather(*(call(coalescer, name, attempt=2) for name in "ab"))
    assert asyncio.get_running_loop().time() - began > 0.9
    assert writer.names == [["a", "b"], ["a", "b"]]


async def test_one_write_at_a_time_probes_a_database_that_fails() -> None:
    writer = Writer()
    writer.failures = [OUTAGE]
    coalescer = Coalescer(BatcherSettings(max_records=1, linger_seconds=0), writer)
    with pytest.raises(DatabaseFailedError):
        await call(coalescer, "a")
    writer.may_finish.clear()
    waiting = [call(coalescer, name) for name in "bcd"]
    await asyncio.sleep(1.2)
    assert writer.names == [["a"], ["b"]]
    writer.may_finish.set()
    await asyncio.gather(*waiting)


async def test_a_worker_that_stops_waits_for_no_database_that_fails() -> None:
    writer = Writer()
    writer.failures = [OUTAGE] * 10
    coalescer = Coalescer(BatcherSettings(max_records=1, linger_seconds=0), writer)
    calls = [call(coalescer, name) for name in "abcdefghij"]
    await asyncio.sleep(0.02)
    coalescer.drain()
    ended = await in_time(asyncio.gather(*calls, return_exceptions=True))
    assert ended == [OUTAGE] * 10
    await asyncio.sleep(0.02)
    assert len(writer.batches) == 10


async def test_a_worker_that_stops_holds_no_writes_after_refusals() -> None:
    written: list[BatchHeader] = []

    async def refuse(batch: BatchHeader, submissions: Sequence[Submission]) -> list[Verdicts]:
        written.append(batch)
        refused = [Problem(0, "refused_by_postgres", sqlstate="23514")]
        return [Verdicts(one.header.submission_id, "r", None, refused) for one in submissions]

    settings = BatcherSettings(max_records=1, linger_seconds=0, max_in_flight=1)
    coalescer = Coalescer(settings, refuse)
    calls = [call(coalescer, f"call {number}") for number in range(20)]
    while len(written) < REFUSALS_BEFORE_HOLDING:
        await asyncio.sleep(0)
    await asyncio.sleep(0.02)
    assert len(written) == REFUSALS_BEFORE_HOLDING
    coalescer.drain()
    await in_time(asyncio.gather(*calls))


async def test_malformed_calls_of_one_name_each_hear_their_answer() -> None:
    coalescer = Coalescer(BatcherSettings(max_records=2, linger_seconds=600), Writer())

    def malformed(reason: str) -> Submission:
        return Submission(SubmissionHeader("a", "requester", 1, 0, malformed=reason), b"")

    calls = (coalescer.submit([malformed(reason)]) for reason in ("short", "long"))
    answers = await in_time(asyncio.gather(*calls))
    assert [codes for (codes,) in answers] == [Verdicts("a", "w")] * 2


async def test_attempts_of_an_outage_do_not_count() -> None:
    writer = Writer()
    conflict = DatabaseFailedError(Failure(FailureKind.OUTAGE, "in the way", "40001"))
    writer.failures = [conflict, OUTAGE]
    coalescer = Coalescer(BatcherSettings(linger_seconds=0), writer)
    for attempt in (7, 8, 9):
        coalescer.drain()  # which does not wait until a failing database is tried again
        await asyncio.gather(call(coalescer, "a", attempt=attempt), return_exceptions=True)
    await call(coalescer, "b", attempt=9)
    assert [batch.attempt for batch in writer.batches] == [2, 2, 3, 2]
