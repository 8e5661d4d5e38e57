"""A database whose encoding lacks characters: no name fails a write, no dead letter is lost."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.batcher_service.verdicts import gather
from batching_demo.contracts.encoding import PreparedRecord
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.database.dead_letters.queries import (
    Selection,
    find_dead_letters,
)
from batching_demo.database.encoding import Encoding
from batching_demo.database.engine import create_engine
from batching_demo.database.schema.migrations import migrate
from batching_demo.database.writing.writes import write_batch, write_unbatched
from batching_demo.doctor.postgres.checks import check_postgres
from batching_demo.operator.start import start_batchers
from batching_demo.settings import Settings
from tests.support.commands import dead_letters, dead_letters_json
from tests.support.database import execute_at, fetch, scalar
from tests.support.postgres import ChosenPostgres
from tests.support.records import batch_info, record, submission
from tests.support.services import batcher_service

SINGLE_BYTES = [
    *(f"LATIN{number}" for number in range(1, 11)),
    *(f"ISO_8859_{number}" for number in range(5, 9)),
    *(f"WIN{number}" for number in (866, 874, *range(1250, 1259))),
    *("KOI8R", "KOI8U"),
]
MANY_BYTES = ["EUC_JP", "EUC_CN", "EUC_KR", "EUC_TW", "EUC_JIS_2004"]
ASCII_ONLY = ["EUC_TW", "EUC_JIS_2004"]
SOURCE = "é日本.ndjson"
LABEL = "再"


@pytest.fixture(scope="module", params=["LATIN1", "EUC_JP", "SQL_ASCII"])
async def encoded(request: pytest.FixtureRequest, postgres: ChosenPostgres) -> str:
    """A migrated database with another encoding than UTF8, by its URL."""
    name = f"encoded_{request.param.lower()}"
    create = f"CREATE DATABASE {name} ENCODING '{request.param}' TEMPLATE template0"
    await execute_at(postgres.url, f"{create} LOCALE_PROVIDER libc LOCALE 'C'")
    await migrate(postgres.url_of(name), application_name="tests")
    return postgres.url_of(name)


@pytest.fixture
async def encoded_engine(encoded: str) -> AsyncIterator[AsyncEngine]:
    await execute_at(encoded, "TRUNCATE records, dead_letters RESTART IDENTITY")
    engine = create_engine(encoded, application_name="tests")
    yield engine
    await engine.dispose()


async def test_postgres_holds_what_the_encoding_says(engine: AsyncEngine) -> None:
    characters = [chr(code) for code in range(1, 0x10000) if not 0xD800 <= code < 0xE000]
    first = characters[:0x2600]
    convert = text("SELECT convert_from(convert_to(:held, :name), :name)")
    async with engine.connect() as connection:
        for name in SINGLE_BYTES + MANY_BYTES:
            encoding = Encoding(name)
            tried = first if name in SINGLE_BYTES else characters
            held = "".join(filter(encoding.holds, tried))
            assert await connection.scalar(convert, {"held": held, "name": name}) == held, name
            assert len(held) == 127 if name in ASCII_ONLY else len(held) > 200, name


@pytest.mark.parametrize("unbatched", [False, True])
async def test_names_with_any_character_are_stored(
    encoded_engine: AsyncEngine, unbatched: bool
) -> None:
    made = submission(f"{LABEL}/0", [record("a"), record("b")], LABEL, SOURCE, f"{LABEL}\0")
    written = "ww"
    for _ in range(2):
        rows = gather([made]).rows
        if unbatched:
            result = await write_unbatched(encoded_engine, rows)
        else:
            result = await write_batch(encoded_engine, rows, batch_info())
        # Its own rows are recognised by the submission id as it was escaped.
        assert "".join(result.codes) == written
    (found,) = await fetch(encoded_engine, "SELECT DISTINCT source, run_label FROM records")
    encoding = (await fetch(encoded_engine, "SHOW server_encoding"))[0][0]
    kept = {"LATIN1": (r"é\u65e5\u672c.ndjson", r"\u518d\u0000")}
    assert found == kept.get(str(encoding), (SOURCE, rf"{LABEL}\u0000"))


async def test_a_key_that_the_encoding_lacks_costs_its_record_alone(
    encoded_engine: AsyncEngine,
) -> None:
    keys = ["a1", "😀1", r"\u65e5", "é1"]
    made = submission("s/0", [record(key, {}) for key in keys], source=SOURCE, run_label=LABEL)
    holds = (await fetch(encoded_engine, "SHOW server_encoding"))[0][0] == "SQL_ASCII"
    rows = gather([made]).rows
    codes = "".join((await write_batch(encoded_engine, rows, batch_info())).codes)
    assert codes == ("wwww" if holds else "wrww")
    letters = await find_dead_letters(encoded_engine, Selection(source=SOURCE))
    assert [letter.key for letter in letters] == ([] if holds else ["😀1"])


@pytest.mark.usefixtures("on_servers")
async def test_the_commands_show_and_retry_what_was_escaped(
    encoded: str, encoded_engine: AsyncEngine, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", encoded)
    rejected = PreparedRecord("日本1", 1, '{"a": "é"}', b"", "refused_by_postgres: 日")
    made = submission("s/0", [rejected], "再", SOURCE, LABEL)
    await write_batch(encoded_engine, gather([made]).rows, batch_info())
    listed = await dead_letters_json("list", "--source", SOURCE)
    (shown,) = (await dead_letters_json("show", "1"))["letters"]
    for letter in (*listed["letters"], shown):
        assert (letter["key"], letter["source"]) == ("日本1", SOURCE)
        assert (letter["requester"], letter["run_label"]) == ("再", LABEL)
    assert shown["record"] == r'{"a": "\u00e9"}'
    absent = await dead_letters("list", "--source", "😀")
    assert absent.stdout == "no open dead letters of source 😀\n"
    await start_batchers(client, 1, BatcherSettings(linger_seconds=0.2))
    async with batcher_service(client, encoded_engine):
        kept = Encoding(str(await scalar(encoded_engine, "SHOW server_encoding"))).holds("日本1")
        if not kept:
            refused = await dead_letters("retry", "1")
            assert "dead letter 1: rejected" in refused.stdout
            assert "the submitted record is" not in refused.stdout
        retried = await dead_letters("retry", "1", *([] if kept else ["--key", "b1"]))
        assert retried.stdout == "dead letter 1: written\n", retried.output


async def test_the_doctor_mentions_the_encoding(encoded: str) -> None:
    server, *_ = await check_postgres(Settings(Path(), encoded))
    assert server.outcome == "ok"
    assert ": a record with characters that it lacks is rejected" in server.detail
