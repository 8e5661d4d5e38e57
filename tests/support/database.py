"""Look into a test's database, change it, and wait for what should be there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from batching_demo.database.engine import create_engine
from tests.support.waiting import eventually

TWINS: WeakKeyDictionary[AsyncEngine, AsyncEngine] = WeakKeyDictionary()
"""By an engine that is behind a pooler or not a superuser's, one that is neither.

A test that holds a lock, and sees who waits for it, needs more connections than a pooler may have,
and a test that changes the schema may do more than a worker.
"""


def direct(engine: AsyncEngine) -> AsyncEngine:
    """Return an engine of the superuser on the same database, without a pooler in between."""
    return TWINS.get(engine, engine)


async def fetch(engine: AsyncEngine, sql: str) -> list[tuple[object, ...]]:
    """Run a query and return its rows."""
    async with direct(engine).connect() as connection:
        return [tuple(row) for row in await connection.execute(text(sql))]


async def scalar(engine: AsyncEngine, sql: str) -> object:
    """Run a query and return its one value."""
    return (await fetch(engine, sql))[0][0]


async def execute(engine: AsyncEngine, *statements: str) -> None:
    """Run statements, each committed by itself."""
    async with direct(engine).connect() as connection:
        for statement in statements:
            await connection.exec_driver_sql(statement)


async def execute_at(url: str, *statements: str) -> None:
    """Run statements on a connection of their own, each committed by itself."""
    engine = create_engine(url, application_name="tests")
    await execute(engine, *statements)
    await engine.dispose()


def server_of(url: str) -> str:
    """Return the URL of the database that every server has."""
    return make_url(url).set(database="postgres").render_as_string(hide_password=False)


async def rows(engine: AsyncEngine) -> int:
    """Count the stored records."""
    return int(str(await scalar(engine, "SELECT count(*) FROM records")))


async def expect_rows(engine: AsyncEngine, expected: int) -> None:
    """Wait until so many records are stored."""

    async def check() -> None:
        assert await rows(engine) == expected

    await eventually(check)


async def expect_dead_letters(engine: AsyncEngine, expected: int) -> None:
    """Wait for dead letters: they are stored after the rows of their batch."""

    async def check() -> None:
        assert await scalar(engine, "SELECT count(*) FROM dead_letters") == expected

    await eventually(check)


@asynccontextmanager
async def locked_table(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Hold a lock that lets nobody write records, until the end or a commit."""
    async with direct(engine).connect() as connection:
        connection = await connection.execution_options(isolation_level="READ COMMITTED")
        await connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        await connection.exec_driver_sql("LOCK TABLE records IN SHARE MODE")
        yield connection


async def expect_waiting_writes(engine: AsyncEngine, number: int) -> None:
    """Wait until so many sessions of this database wait for a lock."""

    async def check() -> None:
        waiting = await scalar(
            engine,
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        assert waiting == number

    await eventually(check)
