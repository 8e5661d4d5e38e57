"""Another environment's database, and workers that look at theirs at once."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.batcher_service.identity import guard
from batching_demo.database.engine import create_engine
from batching_demo.database.identity import renew_identity
from tests.support.postgres import ChosenPostgres, create_database


@pytest.fixture(autouse=True)
def nothing_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "TRUSTED_SECONDS", 0.0)


@pytest.fixture
async def other_url(postgres: ChosenPostgres) -> str:
    """Another environment's database."""
    return await create_database(postgres)


@pytest.fixture
async def other_engine(other_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(other_url, application_name="tests")
    await renew_identity(engine)
    yield engine
    await engine.dispose()
