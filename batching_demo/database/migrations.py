"""Bring a database's schema to the revision that this code expects."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

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


def newest_revision() -> str | None:
    """Name the revision that this code expects."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()
