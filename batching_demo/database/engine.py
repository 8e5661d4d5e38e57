"""How every connection to Postgres is made."""

import os
import socket
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ExceptionContext, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from batching_demo.database.connection.connect import DatabaseSource
from batching_demo.database.connection.parameters import CONNECT_TIMEOUT_SECONDS
from batching_demo.database.connection.pooler import Connector
from batching_demo.database.connection.vocabulary import DRIVER_ONLY
from batching_demo.database.errors import sqlstate_of
from batching_demo.settings import Pooler

DIALECT = "postgresql+asyncpg://"
READ_ONLY = "25006"
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
        text: The URL of the database, or `file:///path` of a file that holds it.
        application_name: Names the sessions, unless the URL does.
        pool_size: Connections, at most.
        pooler: What is known of a pooler in front of the database.

    Raises:
        SettingsError: The URL is wrong.
    """
    engine = create_async_engine(
        DIALECT,
        isolation_level="AUTOCOMMIT",
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=CONNECT_TIMEOUT_SECONDS,
        # Without it, error messages carry what people store.
        hide_parameters=True,
        connect_args=_connect_args(
            text,
            pooler,
            {"application_name": session_name(application_name), **SESSION_SETTINGS},
            TRANSACTION_SETTINGS,
            COMMAND_TIMEOUT_SECONDS,
        ),
    )
    event.listen(engine.sync_engine, "checkout", _replace_closed_connections)
    event.listen(engine.sync_engine, "handle_error", _leave_read_only_server)
    event.listen(engine.sync_engine, "handle_error", _give_up_silent_connections)
    return engine


def create_transactional_engine(
    text: str,
    *,
    application_name: str,
    pooler: Pooler = "auto",
    command_timeout: float = LONGEST_COMMAND_SECONDS,
) -> AsyncEngine:
    """Make an engine with transactions, for migrations and readings that may wait long.

    Args:
        text: As of `create_engine`.
        application_name: As of `create_engine`.
        pooler: As of `create_engine`.
        command_timeout: Seconds without an answer after which the peer is taken for silent.
    """
    name = {"application_name": session_name(application_name)}
    return create_async_engine(
        DIALECT,
        poolclass=NullPool,
        hide_parameters=True,
        connect_args=_connect_args(text, pooler, name, {}, command_timeout),
    )


def _connect_args(
    text: str,
    pooler: Pooler,
    settings: Mapping[str, str],
    transaction_settings: Mapping[str, str],
    command_timeout: float,
) -> dict[str, Any]:
    source = DatabaseSource(text)
    asked = source.parameters
    connector = Connector(
        source.connect,
        pooler,
        start={**settings, **asked.server_settings, **asked.start_settings},
        # Every pooler knows the name; the rest is for one that reads it.
        pooled_start={"application_name": settings["application_name"], **asked.start_settings},
        in_transactions={**transaction_settings, **asked.server_settings},
    )
    return {
        "async_creator_fn": connector.connect,
        "command_timeout": command_timeout,
        **asked.numbers(*DRIVER_ONLY),
    }


def _replace_closed_connections(connection: DBAPIConnection, *_: object) -> None:
    """Have all connections of the pool replaced if the peer has closed one while it was idle.

    A server or a pooler may do that after some idle time, or when it stops. No write need fail.
    """
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError


def _give_up_silent_connections(context: ExceptionContext) -> None:
    """Have all connections of the pool replaced once one is silent: the others may be too."""
    if isinstance(context.original_exception, TimeoutError):
        # Of itself, SQLAlchemy replaces that one alone.
        context.invalidate_pool_on_disconnect = True


def _leave_read_only_server(context: ExceptionContext) -> None:
    """Connect anew after a write was refused: another host may be the primary by now."""
    if sqlstate_of(context.original_exception) == READ_ONLY:
        context.is_disconnect = True
