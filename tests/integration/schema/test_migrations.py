"""The schema: up, down, in step with the models, and migrated once by many at a time."""

import asyncio
import os
import subprocess
import sys
from decimal import Decimal
from io import StringIO

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import inspect as inspect_schema
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.database.engine import create_transactional_engine
from batching_demo.database.errors import DatabaseFailedError
from batching_demo.database.schema import migrations
from batching_demo.database.schema.migrations import migrate
from tests.support.database import execute_at, fetch
from tests.support.root import ROOT


async def tables(url: str) -> set[str]:
    engine = create_transactional_engine(url, application_name="tests")
    async with engine.connect() as connection:
        found = await connection.run_sync(lambda sync: inspect_schema(sync).get_table_names())
        views = await connection.run_sync(lambda sync: inspect_schema(sync).get_view_names())
    await engine.dispose()
    return {*found, *views}


async def test_up_check_down_up(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = empty_database_url
    monkeypatch.setenv("DATABASE_URL", url)
    project = Config(toml_file=ROOT / "pyproject.toml")
    await asyncio.to_thread(command.upgrade, project, "head")
    assert await tables(url) == {
        "batching_demo_alembic_version",
        "records",
        "write_counts",
        "dead_letters",
        "receipts",
        "batches",
        "database_identity",
    }
    await asyncio.to_thread(command.check, project)
    await asyncio.to_thread(command.downgrade, project, "base")
    assert await tables(url) == {"batching_demo_alembic_version"}
    await asyncio.to_thread(command.upgrade, project, "head")
    assert "records" in await tables(url)


async def test_tables_that_other_migrations_have_made_are_taken_over(database_url: str) -> None:
    await execute_at(database_url, "DROP TABLE batching_demo_alembic_version")
    with pytest.raises(DatabaseFailedError):
        await migrate(database_url, application_name="tests")
    stamp = [sys.executable, "-m", "alembic", "stamp", "head"]
    environment = {**os.environ, "DATABASE_URL": database_url}
    await asyncio.to_thread(subprocess.run, stamp, cwd=ROOT, env=environment, check=True)
    await migrate(database_url, application_name="tests")


async def test_offline_sql_is_complete(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    output = StringIO()
    project = Config(toml_file=ROOT / "pyproject.toml", output_buffer=output)
    await asyncio.to_thread(command.upgrade, project, "head", sql=True)
    script = output.getvalue()
    assert "CREATE TABLE records" in script
    assert "CREATE VIEW write_counts" in script
    assert "INSERT INTO batching_demo_alembic_version" in script
    assert script.count("COMMIT") == 1


async def test_a_backup_that_runs_stops_the_migration_and_no_write(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT", "100ms")
    await asyncio.to_thread(command.downgrade, Config(toml_file=ROOT / "pyproject.toml"), "0006")
    backup = create_transactional_engine(database_url, application_name="tests")
    async with backup.connect() as connection:
        await connection.execute(text("SELECT FROM dead_letters"))
        with pytest.raises(DatabaseFailedError, match="see pg_locks") as failed:
            await migrate(database_url, application_name="tests")
        assert failed.value.failure.sqlstate == "55P03"
    await backup.dispose()
    await migrate(database_url, application_name="tests")


async def test_two_at_once_both_succeed_and_one_migrates(empty_database_url: str) -> None:
    environment = {**os.environ, "DATABASE_URL": empty_database_url}
    command = [sys.executable, "-m", "batching_demo", "db", "upgrade"]
    processes = [
        await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, env=environment, stdout=-1, stderr=-1
        )
        for _ in range(2)
    ]
    outputs = await asyncio.gather(*(process.communicate() for process in processes))
    assert [process.returncode for process in processes] == [0, 0], outputs
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
