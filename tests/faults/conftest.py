"""A Postgres that may be stopped without hurting other tests."""

import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.database.engine import create_engine, create_transactional_engine
from batching_demo.database.migrations import upgrade
from batching_demo.devstack.ports import find_free_port
from batching_demo.devstack.postgres import PostgresServer
from tests.support.faults import execute


@pytest.fixture(scope="session")
def spare_postgres() -> Iterator[PostgresServer]:
    # pytest's own directories are private, and root's Postgres runs as another user.
    directory = Path(tempfile.mkdtemp(prefix="batching-demo-"))
    directory.chmod(0o755)
    server = PostgresServer(directory / "postgres", find_free_port())
    server.initialise()
    yield server
    server.stop("immediate")
    shutil.rmtree(directory)


@pytest.fixture
async def mortal_url(spare_postgres: PostgresServer) -> AsyncIterator[str]:
    """A migrated database on a server that this test may stop."""
    spare_postgres.start()
    name = f"test_{uuid.uuid4().hex[:12]}"
    await execute(spare_postgres.url, f"CREATE DATABASE {name}")
    url = make_url(spare_postgres.url).set(database=name).render_as_string(hide_password=False)
    migration = create_transactional_engine(url, application_name="tests")
    async with migration.connect() as connection:
        await connection.run_sync(upgrade)
    await migration.dispose()
    yield url
    spare_postgres.start()


@pytest.fixture
async def mortal_engine(mortal_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(mortal_url, application_name="tests")
    yield engine
    await engine.dispose()
