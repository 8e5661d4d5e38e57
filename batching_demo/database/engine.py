"""How every connection to Postgres is made."""

import os
import socket
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ExceptionContext, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from batching_demo.database.connection.connect import DatabaseSource
from batching_demo.database.connection.parameters import CONNECT_TIMEOUT_SECONDS
from batching_demo.database.connection.vocabulary import DRIVER_ONLY
from batching_demo.database.errors import sqlstate_of

DIALECT = "postgresql+asyncpg://"
READ_ONLY = "25006"
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


def session_name(application_name: str) -> str:
    """Name our sessions in pg_stat_activity by what they are for, and by host and process."""
    process = f" pid {os.getpid()}"
    name = f"{application_name} {socket.gethostname()}".encode("ascii", "replace").decode()
    return name[: LONGEST_NAME - len(process)] + process


def create_engine(text: str, *, application_name: str, pool_size: int = 5) -> AsyncEngine:
    """Make an engine whose statements each commit by themselves.

    Args:
        text: The URL of the database, or `file:///path` of a file that holds it.
        application_name: Names the sessions, unless the URL does.
        pool_size: Connections, at most.

    Raises:
        SettingsError: The URL is wrong.
    """
    settings = {"application_name": session_name(application_name), **SESSION_SETTINGS}
    engine = create_async_engine(
        DIALECT,
        isolation_level="AUTOCOMMIT",
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=CONNECT_TIMEOUT_SECONDS,
        # Without it, error messages carry what people store.
        hide_parameters=True,
        connect_args=_connect_args(text, settings),
    )
    event.listen(engine.sync_engine, "handle_error", _leave_read_only_server)
    return engine


def create_transactional_engine(text: str, *, application_name: str) -> AsyncEngine:
    """Make an engine with transactions, for migrations and readings that may wait long."""
    settings = {"application_name": session_name(application_name)}
    return create_async_engine(
        DIALECT,
        poolclass=NullPool,
        hide_parameters=True,
        connect_args=_connect_args(text, settings),
    )


def _connect_args(text: str, settings: Mapping[str, str]) -> dict[str, Any]:
    source = DatabaseSource(text)
    asked = source.parameters
    return {
        "async_creator_fn": source.connect,
        "server_settings": {**settings, **asked.server_settings, **asked.start_settings},
        **asked.numbers(*DRIVER_ONLY),
    }


def _leave_read_only_server(context: ExceptionContext) -> None:
    """Connect anew after a write was refused: another host may be the primary by now."""
    if sqlstate_of(context.original_exception) == READ_ONLY:
        context.is_disconnect = True
