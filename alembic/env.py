"""Run migrations on a caller's connection, on DATABASE_URL, or as SQL text."""

import asyncio
import os

from alembic import context
from sqlalchemy import Connection

from batching_demo.database.engine import create_transactional_engine
from batching_demo.database.models import metadata
from batching_demo.database.roles.renewing import renew_privileges
from batching_demo.database.schema.migrations import prepare
from batching_demo.database.schema.version_table import VERSION_TABLE
from batching_demo.settings import POOLER, Settings, read_pooler


def run_offline() -> None:
    context.configure(
        dialect_name="postgresql",
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        literal_binds=True,
        as_sql=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def run_on(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, version_table=VERSION_TABLE)
    with context.begin_transaction():
        # Taken inside: a lock before it starts a transaction that nobody commits.
        prepare(connection)
        before = context.get_context().get_current_heads()
        context.run_migrations()
        if context.get_context().get_current_heads() != before:
            renew_privileges(connection)


async def run_online() -> None:
    settings = Settings.from_environment(os.environ)
    pooler = read_pooler(os.environ.get(POOLER) or "auto")
    engine = create_transactional_engine(
        settings.required_database_url, application_name="alembic", pooler=pooler
    )
    async with engine.connect() as connection:
        await connection.run_sync(run_on)
    await engine.dispose()


if context.is_offline_mode():
    run_offline()
elif "connection" in context.config.attributes:
    run_on(context.config.attributes["connection"])
else:
    asyncio.run(run_online())
