"""How every connection to Postgres is made."""

import os
import socket
from collections.abc import Mapping
from typing import Any

import asyncpg
from sqlalchemy import URL, ExceptionContext, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from batching_demo.database.pooler import Connector
from batching_demo.settings import Pooler, SettingsError

CONNECT_TIMEOUT_SECONDS = 10
LONGEST_NAME = 63
"""Bytes; Postgres cuts what is longer."""
STATEMENT_TIMEOUT_SECONDS = 30
"""Below the 60 s that an activity may take, so that Postgres gives up before Temporal does."""

COMMAND_TIMEOUT_SECONDS = STATEMENT_TIMEOUT_SECONDS + 5
"""After this the peer is taken for silent: Postgres itself would have given up."""
LONGEST_COMMAND_SECONDS = 60 * 60
"""The same for migrations and readings, which nothing else limits."""

TRANSACTION_SETTINGS: Mapping[str, str] = {
    "statement_timeout": f"{STATEMENT_TIMEOUT_SECONDS}s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "30s",
    # Loading compiled code costs more than any of our statements takes.
    "jit": "off",
}
"""What may be set for one transaction too."""
SESSION_SETTINGS: Mapping[str, str] = {
    **TRANSACTION_SETTINGS,
    # Verdicts need the look-up to see what others committed meanwhile.
    "default_transaction_isolation": "read committed",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}


def database_url(text: str) -> URL:
    """Read a database URL, in libpq's or SQLAlchemy's spelling, for asyncpg.

    Raises:
        SettingsError: it is no URL of a Postgres database.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise SettingsError(
            "DATABASE_URL is not a URL; write postgresql://user:password@host:5432/database"
        ) from None
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise SettingsError(
            f"DATABASE_URL names {url.drivername!r}; write postgresql://..., this needs Postgres"
        )
    url = url.set(drivername="postgresql+asyncpg")
    if sslmode := url.query.get("sslmode"):
        url = url.difference_update_query(["sslmode"]).update_query_dict({"ssl": sslmode})
    return url


def describe_url(text: str) -> str:
    """Name a database, without the password."""
    url = database_url(text)
    return f"{url.host or 'local socket'}:{url.port or 5432}/{url.database}"


def session_name(application_name: str) -> str:
    """Name our sessions in pg_stat_activity by what they are for, and by host and process."""
    process = f" pid {os.getpid()}"
    name = f"{application_name} {socket.gethostname()}".encode("ascii", "replace").decode()
    return name[: LONGEST_NAME - len(process)] + process


def create_engine(
    text: str, *, application_name: str, pool_size: int = 5, pooler: Pooler = "auto"
) -> AsyncEngine:
    """Make an engine whose statements each commit by themselves.

    Args:
        text: The URL of the database.
        application_name: Names the sessions in pg_stat_activity.
        pool_size: Connections at a time.
        pooler: What is known of a pooler in front of the database.
    """
    connector = Connector(
        asyncpg.connect,
        session_name(application_name),
        pooler,
        SESSION_SETTINGS,
        TRANSACTION_SETTINGS,
    )
    return _create(
        text,
        connector,
        COMMAND_TIMEOUT_SECONDS,
        isolation_level="AUTOCOMMIT",
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=CONNECT_TIMEOUT_SECONDS,
    )


def create_transactional_engine(
    text: str,
    *,
    application_name: str,
    pooler: Pooler = "auto",
    command_timeout: float = LONGEST_COMMAND_SECONDS,
) -> AsyncEngine:
    """Make an engine with transactions, for migrations and readings that may wait long.

    Args:
        text: The URL of the database.
        application_name: Names the sessions in pg_stat_activity.
        pooler: What is known of a pooler in front of the database.
        command_timeout: Seconds without an answer after which the peer is taken for silent.
    """
    connector = Connector(asyncpg.connect, session_name(application_name), pooler, {}, {})
    return _create(text, connector, command_timeout, poolclass=NullPool)


def _create(
    text: str, connector: Connector, command_timeout: float, **arguments: Any
) -> AsyncEngine:
    engine = create_async_engine(
        database_url(text),
        # Without it, error messages carry what people store.
        hide_parameters=True,
        connect_args={
            "async_creator_fn": connector.connect,
            "timeout": CONNECT_TIMEOUT_SECONDS,
            "command_timeout": command_timeout,
        },
        **arguments,
    )
    event.listen(engine.sync_engine, "handle_error", _give_up_silent_connections)
    return engine


def _give_up_silent_connections(context: ExceptionContext) -> None:
    """Have all connections of the pool replaced once one is silent: the others may be too."""
    if isinstance(context.original_exception, TimeoutError):
        # Of itself, SQLAlchemy replaces that one alone.
        context.invalidate_pool_on_disconnect = True
