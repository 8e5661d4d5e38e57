"""A Postgres that may be stopped without hurting other tests."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.postgres import (
    ChosenPostgres,
    chosen_postgres,
    create_database,
    open_engine,
    running_postgres,
)


@pytest.fixture(scope="session")
def spare_postgres(pytestconfig: pytest.Config, cluster: Path) -> Iterator[ChosenPostgres]:
    with running_postgres(cluster, *chosen_postgres(pytestconfig)) as server:
        yield server


@pytest.fixture
async def mortal_engine(spare_postgres: ChosenPostgres) -> AsyncIterator[AsyncEngine]:
    """A migrated database on a server that this test may stop."""
    spare_postgres.start()
    url = await create_database(spare_postgres)
    async with open_engine(spare_postgres, url) as engine:
        yield engine
