"""S01 and S12 at their worst: nothing that a signal brings may stop a shard.

Every case sends something that no batcher should have been sent, then a good record, and wants
the good one stored.
"""

from collections.abc import Callable
from dataclasses import asdict, replace

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.common import RawValue

from batching_demo.batcher_service.starter import start_batchers
from batching_demo.contracts import (
    SUBMIT_SIGNAL,
    BatcherSettings,
    PreparedRecord,
    SubmissionHeader,
    encode_records,
)
from tests.faults.support import batcher, collecting, dead_letters, expect_answers, rows, submit
from tests.helpers import batcher_service, eventually, record, submission

QUICK = BatcherSettings(linger_seconds=0.2)
HASH = bytes(range(32))


async def expect_shard_goes_on(client: Client, engine: AsyncEngine) -> None:
    """Submit one good record and wait until it is stored."""
    await submit(client, ("good", [record("good")]))

    async def check() -> None:
        assert await rows(engine) == 1

    await eventually(check, within=20)


POISON: dict[str, list[PreparedRecord]] = {
    "a key with a NUL, twice": [PreparedRecord("a\0b", 1, "{}", HASH)] * 2,
    "a line beyond bigint": [PreparedRecord("k", 2**63, "{}", HASH)],
    "a reason with a NUL": [PreparedRecord("k", 1, "{}", b"", rejection="re\0ason: why")],
    "a key too long for the index": [PreparedRecord("k" * 100_000, 1, "{}", HASH)],
    "payload that is no JSON": [PreparedRecord("k", 1, "nonsense", HASH)],
    "a rejected line beyond bigint": [PreparedRecord("k", 2**64 - 1, "x", b"", rejection="r: d")],
}


@pytest.mark.parametrize("bad", POISON.values(), ids=list(POISON))
async def test_poison_becomes_a_dead_letter(
    client: Client, engine: AsyncEngine, bad: list[PreparedRecord]
) -> None:
    await start_batchers(client, 1, QUICK)
    async with batcher_service(client, engine), collecting(client, "one"):
        await submit(client, ("bad", bad), requester="one")
        await expect_answers(client, "one", {"bad": "r" * len(bad)})
        await expect_shard_goes_on(client, engine)
        assert await dead_letters(engine) == 1


async def test_a_key_with_a_nul_survives_an_outage(client: Client, engine: AsyncEngine) -> None:
    await start_batchers(client, 1, QUICK)
    async with engine.connect() as connection:
        await connection.exec_driver_sql("ALTER TABLE records RENAME TO elsewhere")
    async with batcher_service(client, engine), collecting(client, "one"):
        await submit(client, ("bad", [PreparedRecord("a\0b", 1, "{}", HASH)]), requester="one")

        async def failing() -> None:
            from tests.faults.support import status

            assert (await status(client)).consecutive_failures > 0

        await eventually(failing)
        async with engine.connect() as connection:
            await connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO records")
        await expect_answers(client, "one", {"bad": "r"})


Change = Callable[[SubmissionHeader], list[SubmissionHeader]]
HEADERS: dict[str, Change] = {
    "a requester that is no text": lambda h: [replace(h, requester="\ud800")],
    "a negative length": lambda h: [
        replace(h, submission_id="x", length=5, malformed="x"),
        replace(h, submission_id="y", length=-5, malformed="x"),
        h,
    ],
    "more records than memory": lambda h: [replace(h, records=10**13, malformed="x")],
}


@pytest.mark.parametrize("change", HEADERS.values(), ids=list(HEADERS))
async def test_headers_that_lie_are_refused(
    client: Client, engine: AsyncEngine, change: Change
) -> None:
    await start_batchers(client, 1, QUICK)
    header, encoded = submission("bad", [record("bad")])
    headers = [asdict(each) for each in change(header)]
    async with batcher_service(client, engine):
        await batcher(client).signal(SUBMIT_SIGNAL, args=[headers, encoded])
        await expect_shard_goes_on(client, engine)


async def test_what_the_sdk_cannot_decode_is_a_dead_letter(
    client: Client, engine: AsyncEngine
) -> None:
    await start_batchers(client, 1, QUICK)
    undecodable = Payload(metadata={"encoding": b"json/plain"}, data=b"{nonsense")
    unknown = Payload(metadata={"encoding": b"of/mine"}, data=b"something")
    async with batcher_service(client, engine):
        for payload in (undecodable, unknown):
            await batcher(client).signal(SUBMIT_SIGNAL, args=[RawValue(payload)])
        await expect_shard_goes_on(client, engine)
        assert await dead_letters(engine) == 2


async def test_oversized_submissions_are_refused(client: Client, engine: AsyncEngine) -> None:
    await start_batchers(client, 1, QUICK)
    huge = PreparedRecord("k", 1, '"' + "x" * 1_900_000 + '"', HASH)
    async with batcher_service(client, engine):
        for number in range(3):
            header = SubmissionHeader(f"huge{number}", "nobody", 1, len(encode_records([huge])))
            await batcher(client).signal(SUBMIT_SIGNAL, args=[[header], encode_records([huge])])
        await expect_shard_goes_on(client, engine)
