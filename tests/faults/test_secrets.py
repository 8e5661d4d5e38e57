"""Neither passwords nor what people store appear in logs, errors or failures in histories."""

import logging

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.failure.v1 import Failure
from temporalio.client import Client

from batching_demo.contracts.encoding import PreparedRecord
from batching_demo.contracts.names import SUBMIT_SIGNAL
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.database.engine import create_engine
from batching_demo.operator.start import start_batchers
from tests.support.batchers import batcher, expect_error, submit
from tests.support.collecting import collecting, expect_answers
from tests.support.database import execute, execute_at, expect_dead_letters
from tests.support.records import record
from tests.support.services import batcher_service

QUICK = BatcherSettings(linger_seconds=0.2)
SECRET = "hunter2%40"


async def failures(client: Client, workflow_id: str) -> list[str]:
    """Spell out every failure in a history, with its details decoded."""
    found: list[str] = []
    history = await client.get_workflow_handle(workflow_id).fetch_history()
    for event in history.events:
        _collect(event, found)
    return found


def _collect(message: Message, found: list[str]) -> None:
    if isinstance(message, Failure):
        details = message.application_failure_info.details.payloads
        found.append(str(MessageToDict(message)) + str([payload.data for payload in details]))
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            parts = value if not isinstance(value, Message) else [value]
            for part in parts:
                if isinstance(part, Message):
                    _collect(part, found)


async def test_a_refused_password_is_not_told(
    client: Client, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    role = f"role_{make_url(database_url).database}"
    await execute_at(database_url, f"CREATE ROLE {role} LOGIN PASSWORD 'another'")
    url = make_url(database_url).set(username=role, password=SECRET)
    engine = create_engine(url.render_as_string(hide_password=False), application_name="tests")
    await start_batchers(client, 1, QUICK)
    with caplog.at_level(logging.DEBUG):
        async with batcher_service(client, engine):
            await submit(client, ("s", [record("a")]))
            found = await expect_error(client, "password in DATABASE_URL is wrong")
    await engine.dispose()
    told = await failures(client, "batcher-0")
    assert told
    assert "password in DATABASE_URL is wrong" in caplog.text
    for text in (found.last_error, caplog.text, repr(engine), *told):
        assert SECRET not in text
        assert "hunter2" not in text


async def test_what_is_refused_is_told_to_nobody_but_the_dead_letters(
    client: Client, engine: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    """Poison of several kinds, a constraint that quotes rows, and an outage in between."""
    await start_batchers(client, 1, QUICK)
    await execute(
        engine,
        "ALTER TABLE records ADD CONSTRAINT picky CHECK (NOT payload ? 'picky')",
        "ALTER TABLE records RENAME TO elsewhere",
    )
    bad = [
        PreparedRecord("nul", 1, '{"text": "hunter2 \\u0000"}', bytes(32)),
        PreparedRecord("picky", 2, '{"picky": "hunter2"}', bytes(32)),
        PreparedRecord("text", 3, "hunter2", bytes(32)),
        PreparedRecord("line", 2**63, '{"text": "hunter2"}', bytes(32)),
    ]
    with caplog.at_level(logging.DEBUG):
        async with batcher_service(client, engine), collecting(client, "one"):
            await submit(client, ("bad", bad), requester="one")
            await batcher(client).signal(SUBMIT_SIGNAL, args=[{"text": "hunter2"}, "hunter2"])
            await expect_error(client, "db upgrade")
            await execute(engine, "ALTER TABLE elsewhere RENAME TO records")
            await expect_answers(client, "one", {"bad": "rrrr"})
            await expect_dead_letters(engine, 5)
            answers = await client.get_workflow_handle("one").fetch_history()
    assert not any(b"hunter2" in event.SerializeToString() for event in answers.events)
    told = await failures(client, "batcher-0")
    assert told
    for text in (caplog.text, *told):
        assert "hunter2" not in text
