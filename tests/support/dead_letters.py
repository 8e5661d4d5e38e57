"""Dead letters for tests to settle."""

from collections.abc import Sequence
from hashlib import sha256

from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.batcher_service.verdicts import gather
from batching_demo.contracts.encoding import PreparedRecord
from batching_demo.database.writing.writes import write_batch
from batching_demo.records.json_text import canonical, parse_object
from tests.support.database import execute, fetch
from tests.support.records import batch_info, submission

SECRET = "hunter2"
BAD = f'{{"id": "k1", "state": "bad", "password": "{SECRET}"}}'


def prepared(key: str, payload: str, line: int = 1) -> PreparedRecord:
    content = canonical(parse_object(payload)).encode()
    return PreparedRecord(key, line, payload, sha256(content).digest())


def rejected(payload: str, rejection: str, line: int = 1, key: str = "") -> PreparedRecord:
    return PreparedRecord(key, line, payload, b"", rejection)


async def write(
    engine: AsyncEngine, records: Sequence[PreparedRecord], source: str = "orders.ndjson"
) -> str:
    """Write records as a main workflow's; return their verdicts' codes."""
    made = submission("main-1/0", records, "main-1", source, "label")
    return "".join((await write_batch(engine, gather([made]).rows, batch_info())).codes)


async def forbid_bad(engine: AsyncEngine) -> None:
    """Let Postgres refuse some records, until `allow_bad`."""
    check = "CHECK (payload->>'state' IS DISTINCT FROM 'bad')"
    await execute(engine, f"ALTER TABLE records ADD CONSTRAINT no_bad {check}")


async def allow_bad(engine: AsyncEngine) -> None:
    await execute(engine, "ALTER TABLE records DROP CONSTRAINT no_bad")


async def letters(engine: AsyncEngine) -> list[tuple[object, ...]]:
    """List id, reason, status and attempts of all letters."""
    return await fetch(engine, "SELECT id, reason, status, attempts FROM dead_letters ORDER BY id")


async def three(engine: AsyncEngine) -> None:
    """Have letters 1 and 2 of orders.ndjson, the first with a key, and 3 of other.csv."""
    await forbid_bad(engine)
    assert await write(engine, [prepared("k1", BAD, line=7)]) == "r"
    await write(engine, [rejected(f'{{"a": {SECRET}', "invalid_json: Expecting value", line=8)])
    await write(engine, [rejected("a,b,c", "field_count: 3 fields", line=2)], source="other.csv")
