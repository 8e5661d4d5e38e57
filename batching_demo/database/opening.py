"""Open the database for one command."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.database.engine import create_engine
from batching_demo.database.errors import database_errors
from batching_demo.settings import Settings


@asynccontextmanager
async def open_database(settings: Settings, application_name: str) -> AsyncIterator[AsyncEngine]:
    """Make an engine on the database of the settings, and dispose of it in the end.

    Args:
        settings: They name the database, and what is known of a pooler.
        application_name: As of `create_engine`.

    Raises:
        SettingsError: No database is named, or its URL is wrong.
        DatabaseFailedError: What was done with the engine failed.
    """
    engine = create_engine(
        settings.required_database_url, application_name=application_name, pooler=settings.pooler
    )
    try:
        with database_errors():
            yield engine
    finally:
        await engine.dispose()
