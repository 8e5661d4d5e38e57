"""A table that fits no record, and statements that take too long: nobody's data is to blame."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.contracts.operations import BatcherSettings
from batching_demo.core import health
from batching_demo.operator.start import start_batchers
from tests.support.batchers import expect_buffered, expect_error, status, submit
from tests.support.collecting import collecting, expect_answers
from tests.support.database import execute, expect_dead_letters, fetch
from tests.support.records import record
from tests.support.services import batcher_service


async def test_ten_batches_refused_whole_hold_the_others(
    client: Client, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A constraint that fits no record costs ten batches, not all; the status says what to do."""
    monkeypatch.setattr(health, "LONGEST_RETRY_SECONDS", 4.0)
    await start_batchers(client, 1, BatcherSettings(max_records=1, linger_seconds=0.1))
    await execute(engine, "ALTER TABLE records ADD CONSTRAINT never CHECK (payload ? 'absent')")
    async with batcher_service(client, engine), collecting(client, "one"):
        for number in range(14):
            await submit(client, (str(number), [record(str(number))]), requester="one")
        await expect_error(client, "Mend the schema")
        held = (await status(client)).buffered_records
        assert held >= 2
        await expect_dead_letters(engine, 14 - held)
        await execute(engine, "ALTER TABLE records DROP CONSTRAINT never")
        expected = {str(n): "r" if n < 14 - held else "w" for n in range(14)}
        await expect_answers(client, "one", expected)
        assert (await status(client)).last_error == ""


async def test_a_batch_that_runs_into_the_statement_timeout_is_written_in_parts(
    client: Client, engine: AsyncEngine
) -> None:
    """After three timeouts statements are halved until they are short enough."""
    await execute(
        engine,
        "CREATE FUNCTION limited() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF (SELECT count(*) FROM fresh) > 6 THEN"
        "  RAISE EXCEPTION 'canceling statement' USING ERRCODE = '57014';"
        " END IF; RETURN NULL; END $$",
        "CREATE TRIGGER limited AFTER INSERT ON records REFERENCING NEW TABLE AS fresh"
        " FOR EACH STATEMENT EXECUTE FUNCTION limited()",
    )
    await start_batchers(client, 1, BatcherSettings(linger_seconds=0.1))
    async with batcher_service(client, engine), collecting(client, "one"):
        await submit(client, ("s", [record(f"{n:02}") for n in range(12)]), requester="one")
        await expect_answers(client, "one", {"s": "w" * 12})
        await expect_buffered(client, 0)
        await expect_dead_letters(engine, 0)
    batches = await fetch(engine, "SELECT count(*) FROM records GROUP BY batch_id")
    assert batches == [(12,)]
