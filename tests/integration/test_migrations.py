"""The schema: up, down, in step with the models, and migrated once by many at a time."""

import asyncio
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import inspect as inspect_schema
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.database.engine import create_transactional_engine
from batching_demo.database.errors import DatabaseFailedError
from batching_demo.database.schema.migrations import migrate
from tests.support.database import execute_at, fetch

ROOT = Path(__file__).parents[2]


def alembic(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=True,
    )


async def tables(url: str) -> set[str]:
    engine = create_transactional_engine(url, application_name="tests")
    async with engine.connect() as connection:
        found = await connection.run_sync(lambda sync: inspect_schema(sync).get_table_names())
        views = await connection.run_sync(lambda sync: inspect_schema(sync).get_view_names())
    await engine.dispose()
    return {*found, *views}


async def test_up_check_down_up(empty_database_url: str) -> None:
    url = empty_database_url
    alembic(url, "upgrade", "head")
    assert await tables(url) == {
        "batching_demo_alembic_version",
        "records",
        "write_counts",
        "dead_letters",
        "database_identity",
        "receipts",
    }
    alembic(url, "check")
    alembic(url, "downgrade", "base")
    assert await tables(url) == {"batching_demo_alembic_version"}
    alembic(url, "upgrade", "head")
    assert "records" in await tables(url)


async def test_tables_that_other_migrations_have_made_are_taken_over(database_url: str) -> None:
    await execute_at(database_url, "DROP TABLE batching_demo_alembic_version")
    with pytest.raises(DatabaseFailedError):
        await migrate(database_url, application_name="tests")
    alembic(database_url, "stamp", "head")
    await migrate(database_url, application_name="tests")


def test_offline_sql_is_complete(empty_database_url: str) -> None:
    script = alembic(empty_database_url, "upgrade", "head", "--sql").stdout
    assert "CREATE TABLE records" in script
    assert "CREATE VIEW write_counts" in script
    assert "INSERT INTO batching_demo_alembic_version" in script
    assert script.count("COMMIT") == 1


async def test_three_at_once_all_succeed_and_one_migrates(empty_database_url: str) -> None:
    environment = {**os.environ, "DATABASE_URL": empty_database_url}
    command = [sys.executable, "-m", "batching_demo", "db", "upgrade"]
    processes = [
        await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, env=environment, stdout=-1, stderr=-1
        )
        for _ in range(3)
    ]
    outputs = await asyncio.gather(*(process.communicate() for process in processes))
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    assert "records" in await tables(empty_database_url)


async def test_write_counts_counts_rows_and_batches(engine: AsyncEngine) -> None:
    assert await fetch(engine, "SELECT * FROM write_counts") == []
    async with engine.connect() as connection:
        await connection.execute(
            text(
                "INSERT INTO records (idempotency_key, source, line, payload, content_hash,"
                " submission_id, position, batch_id, write_path, run_label, shard)"
                " SELECT n::text, 's', n, '{}', '', 'x', 0,"
                " ('00000000-0000-0000-0000-00000000000' || (n / 2))::uuid, 'batched', 'l', 0"
                " FROM generate_series(1, 3) n"
            )
        )
    found = await fetch(engine, "SELECT * FROM write_counts")
    assert found == [("l", "batched", 3, 2, Decimal("1.5"))]
