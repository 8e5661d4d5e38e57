"""A Postgres that may be stopped without hurting other tests."""

from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.database.migrations import migrate
from tests.support.postgres import (
    ChosenPostgres,
    chosen_postgres,
    create_database,
    open_engine,
    running_postgres,
)


@pytest.fixture(scope="session")
def spare_postgres(pytestconfig: pytest.Config) -> Iterator[ChosenPostgres]:
    with running_postgres(*chosen_postgres(pytestconfig)) as server:
        yield server


@pytest.fixture
async def mortal_engine(spare_postgres: ChosenPostgres) -> AsyncIterator[AsyncEngine]:
    """A migrated database on a server that this test may stop."""
    spare_postgres.start()
    url = await create_database(spare_postgres, "template0")
    await migrate(url, application_name="tests")
    async with open_engine(spare_postgres, url) as engine:
        yield engine
