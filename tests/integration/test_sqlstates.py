"""What a write makes of failures of a real Postgres: records are blamed, or all is tried again."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.batcher_service.verdicts import gather
from batching_demo.database.errors import DatabaseFailedError
from batching_demo.database.writes import write_batch
from tests.support.database import execute
from tests.support.records import batch_info, record, submission


async def write_where_one_raises(engine: AsyncEngine, sqlstate: str) -> str:
    """Write three records, of which the table's trigger refuses the second."""
    await execute(
        engine,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" RAISE EXCEPTION 'no' USING ERRCODE = '{sqlstate}'; END $$",
        "CREATE TRIGGER refuse BEFORE INSERT ON records FOR EACH ROW"
        " WHEN (NEW.idempotency_key = 'b') EXECUTE FUNCTION refuse()",
    )
    rows = gather([submission("s", [record("a"), record("b"), record("c")])]).rows
    return "".join((await write_batch(engine, rows, batch_info())).codes)


@pytest.mark.parametrize("sqlstate", ["22003", "23514", "54001", "P0001"])
async def test_a_record_is_isolated(engine: AsyncEngine, sqlstate: str) -> None:
    assert await write_where_one_raises(engine, sqlstate) == "wrw"


@pytest.mark.parametrize(
    ("sqlstate", "who"),
    [
        ("3F000", "operator"),
        ("28P01", "operator"),
        ("40001", "outage"),
        ("53100", "outage"),
        ("57P01", "outage"),
        ("25006", "outage"),
        ("XX000", "outage"),
    ],
)
async def test_no_record_is_blamed(engine: AsyncEngine, sqlstate: str, who: str) -> None:
    with pytest.raises(DatabaseFailedError) as failed:
        await write_where_one_raises(engine, sqlstate)
    assert (failed.value.failure.sqlstate, failed.value.failure.kind) == (sqlstate, who)
