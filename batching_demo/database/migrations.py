"""Bring a database's schema to the revision that this code expects."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from batching_demo.database.engine import create_transactional_engine
from batching_demo.database.errors import database_errors
from batching_demo.settings import Pooler

PACKAGE = Path(__file__).parents[1]
REPOSITORY = PACKAGE.parent


def alembic_config() -> Config:
    """Find the migrations, in a clone or in an installed package."""
    config = Config()
    in_clone = REPOSITORY / "alembic"
    location = in_clone if (in_clone / "env.py").exists() else PACKAGE / "migrations"
    config.set_main_option("script_location", str(location).replace("%", "%%"))
    return config


def upgrade(connection: Connection) -> None:
    """Migrate to the newest revision, in one transaction, once however many try at a time."""
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def migrate(url: str, *, application_name: str, pooler: Pooler = "auto") -> None:
    """Migrate a database to the newest revision.

    Raises:
        DatabaseFailedError: it does not answer, or refuses.
    """
    engine = create_transactional_engine(url, application_name=application_name, pooler=pooler)
    try:
        with database_errors():
            async with engine.connect() as connection:
                await connection.run_sync(upgrade)
    finally:
        await engine.dispose()


def newest_revision() -> str | None:
    """Name the revision that this code expects."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()
