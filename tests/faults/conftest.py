"""A Postgres that may be stopped without hurting other tests."""

from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.database.engine import create_engine
from batching_demo.database.migrations import migrate
from batching_demo.devstack.postgres import PostgresServer
from tests.support.postgres import create_database, running_postgres


@pytest.fixture(scope="session")
def spare_postgres() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


@pytest.fixture
async def mortal_engine(spare_postgres: PostgresServer) -> AsyncIterator[AsyncEngine]:
    """A migrated database on a server that this test may stop."""
    spare_postgres.start()
    url = await create_database(spare_postgres, "template0")
    await migrate(url, application_name="tests")
    engine = create_engine(url, application_name="tests")
    yield engine
    await engine.dispose()
