"""Bring a database's schema to the revision that this code expects."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from batching_demo.database.engine import create_transactional_engine
from batching_demo.database.errors import (
    DatabaseFailedError,
    Failure,
    FailureKind,
    database_errors,
)
from batching_demo.database.schema.obstacles import find_obstacle
from batching_demo.database.schema.version_table import move_version
from batching_demo.settings import Pooler

PACKAGE = Path(__file__).parents[2]
REPOSITORY = PACKAGE.parent
# Any number; it has to be the same for everyone who migrates a schema of this database.
MIGRATION_LOCK = 7_233_5432
LOCK_TIMEOUT = "5s"
"""Whoever comes later waits behind a migration that waits for a table, those who write included.
They wait longer than this before they give up."""
_LIMIT_LOCK_WAITS = text(
    "SELECT set_config('lock_timeout', :limit, true) WHERE current_setting('lock_timeout') = '0'"
)


def alembic_config() -> Config:
    """Find the migrations, in a clone or in an installed package."""
    config = Config()
    in_clone = REPOSITORY / "alembic"
    location = in_clone if (in_clone / "env.py").exists() else PACKAGE / "migrations"
    config.set_main_option("script_location", str(location).replace("%", "%%"))
    return config


def prepare(connection: Connection) -> None:
    """Wait until nobody else migrates, and find the version table, in the caller's transaction.

    After that the transaction waits for no lock long, unless `lock_timeout` is set already.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
    connection.execute(_LIMIT_LOCK_WAITS, {"limit": LOCK_TIMEOUT})
    move_version(connection, known_revisions())


def upgrade(connection: Connection) -> None:
    """Migrate to the newest revision, in one transaction.

    However many try at a time, one migrates, and the others wait for it.

    Raises:
        DatabaseFailedError: Something is in the way; nothing has changed.
    """
    config = alembic_config()
    config.attributes["connection"] = connection
    with connection.begin():
        prepare(connection)
        if obstacle := schema_obstacle(connection):
            raise DatabaseFailedError(Failure(FailureKind.OPERATOR, obstacle))
        command.upgrade(config, "head")


async def migrate(url: str, *, application_name: str, pooler: Pooler = "auto") -> None:
    """Migrate a database to the newest revision.

    Raises:
        DatabaseFailedError: It does not answer, or refuses.
    """
    engine = create_transactional_engine(url, application_name=application_name, pooler=pooler)
    try:
        with database_errors(migrating=True):
            async with engine.connect() as connection:
                await connection.run_sync(upgrade)
    finally:
        await engine.dispose()


def schema_obstacle(connection: Connection) -> str | None:
    """Return what keeps `upgrade` from migrating, and what to do; None if nothing does."""
    return find_obstacle(connection, known_revisions(), newest_revision())


def newest_revision() -> str:
    """Name the revision that this code expects."""
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    assert head
    return head


def known_revisions() -> set[str]:
    """Name all revisions of this code."""
    script = ScriptDirectory.from_config(alembic_config())
    return {one.revision for one in script.walk_revisions()}
