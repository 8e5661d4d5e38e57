"""A database for the tests of own tables."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.database import execute
from tests.support.postgres import ChosenPostgres, create_database, open_engine


@pytest.fixture(scope="module")
async def shop(postgres: ChosenPostgres) -> AsyncIterator[AsyncEngine]:
    """A database for all tests of this module, each with tables of its own."""
    url = await create_database(postgres)
    async with open_engine(postgres, url, pool_size=2) as engine:
        await execute(
            engine,
            "CREATE SCHEMA billing",
            "CREATE TYPE billing.mood AS ENUM ('good', 'bad')",
            "CREATE DOMAIN billing.short AS varchar(5) NOT NULL DEFAULT 'x' CHECK (value <> '')",
            "CREATE DOMAIN billing.shorter AS billing.short",
            "CREATE FOREIGN DATA WRAPPER elsewhere",
            "CREATE SERVER far FOREIGN DATA WRAPPER elsewhere",
        )
        yield engine
