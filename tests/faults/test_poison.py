"""S01 and S12 at their worst: nothing that a signal brings may stop a shard.

Every case sends something that no batcher should be sent, then a good record, and wants the good
one stored.
"""

from collections.abc import Callable
from dataclasses import asdict, replace
from random import Random
from string import ascii_letters

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.common import RawValue

from batching_demo.batcher_service.batcher import run_length
from batching_demo.contracts.encoding import PreparedRecord
from batching_demo.contracts.messages import SubmissionHeader
from batching_demo.contracts.names import SUBMIT_SIGNAL, batcher_workflow_id
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.operator.start import start_batchers
from tests.support.batchers import batcher, expect_error, submit
from tests.support.collecting import collecting, expect_answers
from tests.support.database import execute, expect_dead_letters, expect_rows, fetch, locked_table
from tests.support.records import noise, record, submission
from tests.support.services import batcher_service, patchable_batcher_service

pytestmark = pytest.mark.as_writer

QUICK = BatcherSettings(linger_seconds=0.2)
HASH = bytes(range(32))
INCOMPRESSIBLE = "".join(Random(1).choices(ascii_letters, k=60_000))


async def expect_shard_goes_on(client: Client, engine: AsyncEngine) -> None:
    await submit(client, ("good", [record("good")]))
    await expect_rows(engine, 1)
    assert await fetch(engine, "SELECT idempotency_key FROM records") == [("good",)]


POISON: dict[str, list[PreparedRecord]] = {
    "a key with a NUL, twice": [PreparedRecord("a\0b", 1, "{}", HASH)] * 2,
    "a line beyond bigint": [PreparedRecord("k", 2**63, "{}", HASH)],
    "a rejected line beyond bigint": [PreparedRecord("", 2**64 - 1, "x", b"", rejection="r: d")],
    "a reason with a NUL": [PreparedRecord("k", 1, "{}", b"", rejection="re\0ason: why")],
    "a key too long for the index": [PreparedRecord(INCOMPRESSIBLE, 1, "{}", HASH)],
    "a payload that is no JSON": [PreparedRecord("k", 1, "nonsense", HASH)],
}


@pytest.mark.parametrize("bad", POISON.values(), ids=list(POISON))
async def test_poison_becomes_one_dead_letter(
    client: Client, engine: AsyncEngine, bad: list[PreparedRecord]
) -> None:
    await start_batchers(client, 1, QUICK)
    async with batcher_service(client, engine), collecting(client, "one"):
        await submit(client, ("bad", bad), requester="one")
        await expect_answers(client, "one", {"bad": "r" * len(bad)})
        await expect_shard_goes_on(client, engine)
        await expect_dead_letters(engine, 1)


async def test_poison_is_still_poison_after_an_outage(client: Client, engine: AsyncEngine) -> None:
    await start_batchers(client, 1, QUICK)
    await execute(engine, "ALTER TABLE records RENAME TO elsewhere")
    async with batcher_service(client, engine), collecting(client, "one"):
        bad = [records[0] for records in POISON.values()]
        await submit(client, ("bad", bad), requester="one")
        await expect_error(client, "db upgrade")
        await execute(engine, "ALTER TABLE elsewhere RENAME TO records")
        await expect_answers(client, "one", {"bad": "r" * len(bad)})
        await expect_shard_goes_on(client, engine)


Change = Callable[[SubmissionHeader], list[SubmissionHeader]]
LIES: dict[str, Change] = {
    "a requester that is no text": lambda header: [replace(header, requester="\ud800")],
    "a source that is no text": lambda header: [replace(header, source="a\0")],
    "a text without end": lambda header: [replace(header, run_label="x" * 500_000)],
    "lengths that cancel out": lambda header: [
        replace(header, submission_id="more", length=5, malformed="x"),
        replace(header, submission_id="less", length=-5, malformed="x"),
        header,
    ],
    "more records than memory": lambda header: [replace(header, records=10**13, malformed="x")],
}


@pytest.mark.parametrize("lie", LIES.values(), ids=list(LIES))
async def test_headers_that_lie_are_refused(
    client: Client, engine: AsyncEngine, lie: Change
) -> None:
    await start_batchers(client, 1, QUICK)
    bad = submission("bad", [record("bad")])
    async with batcher_service(client, engine):
        headers = [asdict(each) for each in lie(bad.header)]
        await batcher(client).signal(SUBMIT_SIGNAL, args=[headers, bad.records])
        await expect_shard_goes_on(client, engine)
        await expect_dead_letters(engine, 1)
        assert await fetch(engine, "SELECT reason FROM dead_letters") == [("malformed",)]


async def test_what_the_sdk_cannot_decode_becomes_dead_letters(
    client: Client, engine: AsyncEngine
) -> None:
    await start_batchers(client, 1, QUICK)
    broken = Payload(metadata={"encoding": b"json/plain"}, data=b"{nonsense")
    unheard_of = Payload(metadata={"encoding": b"of/mine"}, data=b"something")
    async with batcher_service(client, engine):
        for payload in (broken, unheard_of):
            await batcher(client).signal(SUBMIT_SIGNAL, args=[RawValue(payload)])
        await expect_shard_goes_on(client, engine)
        await expect_dead_letters(engine, 2)
        letters = await fetch(engine, "SELECT record FROM dead_letters ORDER BY record")
    assert letters == [("something",), ("{nonsense",)]


async def test_unknown_signals_become_dead_letters(client: Client, engine: AsyncEngine) -> None:
    await start_batchers(client, 1, QUICK)
    async with batcher_service(client, engine):
        await batcher(client).signal("sumbit", args=["some", "thing"])
        await expect_shard_goes_on(client, engine)
        await expect_dead_letters(engine, 1)
        letters = await fetch(engine, "SELECT detail, record FROM dead_letters")
    assert letters == [("unknown signal 'sumbit'", '"some" "thing"')]


@pytest.mark.parametrize(
    "arguments",
    [
        [[{"submission_id": "bad", "requester": "one"}], b"bytes"],
        [[{"submission_id": "bad", "requester": "one", "records": 1, "length": 9}], "text"],
        [{"submission_id": "bad", "requester": "one"}],
        [[asdict(submission("bad", [record("a")], "one").header)], b"too short"],
    ],
    ids=["fields missing", "text for bytes", "one argument", "bytes missing"],
)
async def test_a_malformed_signal_that_names_its_sender_is_answered(
    client: Client, engine: AsyncEngine, arguments: list[object]
) -> None:
    await start_batchers(client, 1, QUICK)
    async with batcher_service(client, engine), collecting(client, "one"):
        await batcher(client).signal(SUBMIT_SIGNAL, args=arguments)
        await expect_answers(client, "one", {"bad": "r"})
        await expect_dead_letters(engine, 1)


async def test_huge_submissions_cannot_make_what_is_carried_too_large(
    client: Client, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three of them together would be more than the next run can be started with."""
    monkeypatch.setattr(run_length, "HARD_SIGNALS", 4)
    await start_batchers(client, 1, QUICK)
    huge = [PreparedRecord(f"huge{n}", 1, f'"{noise(1_300_000)}"', HASH) for n in range(3)]
    async with patchable_batcher_service(client, engine):
        async with locked_table(engine):
            first_run = (await batcher(client).describe()).run_id
            for one in huge:
                await submit(client, (one.key, [one]))
            await submit(client, ("good", [record("good")]))
        await expect_rows(engine, 1)
        await expect_dead_letters(engine, 3)
        last_run = (await client.get_workflow_handle(batcher_workflow_id(0)).describe()).run_id
    assert last_run != first_run
