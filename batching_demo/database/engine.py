"""How every connection to Postgres is made."""

import os
import socket
from collections.abc import Mapping

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from batching_demo.settings import SettingsError

CONNECT_TIMEOUT_SECONDS = 10
LONGEST_NAME = 63
"""Bytes; Postgres cuts what is longer."""
STATEMENT_TIMEOUT_SECONDS = 30
"""Below the 60 s that an activity may take, so that Postgres gives up before Temporal does."""

SESSION_SETTINGS: Mapping[str, str] = {
    "statement_timeout": f"{STATEMENT_TIMEOUT_SECONDS}s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "30s",
    # Verdicts need the look-up to see what others committed meanwhile.
    "default_transaction_isolation": "read committed",
    # Loading compiled code costs more than any of our statements takes.
    "jit": "off",
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


def create_engine(text: str, *, application_name: str, pool_size: int = 5) -> AsyncEngine:
    """Make an engine whose statements each commit by themselves."""
    return create_async_engine(
        database_url(text),
        isolation_level="AUTOCOMMIT",
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=CONNECT_TIMEOUT_SECONDS,
        # Without it, error messages carry what people store.
        hide_parameters=True,
        connect_args={
            "timeout": CONNECT_TIMEOUT_SECONDS,
            "server_settings": {
                "application_name": session_name(application_name),
                **SESSION_SETTINGS,
            },
        },
    )


def create_transactional_engine(text: str, *, application_name: str) -> AsyncEngine:
    """Make an engine with transactions, for migrations and readings that may wait long."""
    return create_async_engine(
        database_url(text),
        poolclass=NullPool,
        hide_parameters=True,
        connect_args={
            "timeout": CONNECT_TIMEOUT_SECONDS,
            "server_settings": {"application_name": session_name(application_name)},
        },
    )
