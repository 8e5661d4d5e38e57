"""Connections through a pooler, which may hand each transaction to another session of Postgres.

Nothing may stay in the session then: no prepared statement, no setting, no lock. So every statement
is parsed anew, and every transaction begins with the settings.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement
from asyncpg.transaction import Transaction
from sqlalchemy.ext.asyncio import AsyncConnection

from batching_demo.settings import Pooler

if TYPE_CHECKING:
    _Connection = asyncpg.Connection[asyncpg.Record]
else:
    _Connection = asyncpg.Connection

T = TypeVar("T")
CLOSE_SECONDS = 0.25
"""Postgres has been told by then; all that is left is to hear it close."""
REFUSALS = (asyncpg.ProtocolViolationError, asyncpg.FeatureNotSupportedError)
"""With these, poolers refuse start-up parameters that they do not know."""


class Connection(_Connection):
    """A connection that closes soon, whether or not the peer answers."""

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109  # asyncpg's
        """Close the connection, or drop it if no answer comes."""
        try:
            await super().close(timeout=min(timeout or CLOSE_SECONDS, CLOSE_SECONDS))
        except TimeoutError:
            self.terminate()


class PooledConnection(Connection):
    """A connection through a pooler. Outside a transaction, each statement is one of its own."""

    set_local = ""
    """Statements that set what lasts for a transaction."""

    def transaction(self, **options: Any) -> Transaction:
        """Return a transaction that begins with the settings."""
        chosen = {"isolation": None, "readonly": False, "deferrable": False} | options
        return _Transaction(self, **chosen)

    async def prepare(self, query: str, **options: Any) -> Any:
        """Prepare a statement that is parsed anew with each execution, wherever that goes."""
        # Only a statement without a name is; and it costs no round trip of its own.
        prepare = partial(super().prepare, query, **options | {"name": ""})
        return _Statement(self, await self.in_transaction(prepare))

    async def in_transaction(self, run: Callable[[], Awaitable[T]]) -> T:
        """Run something in a transaction of its own, unless there is a transaction already.

        No context manager: contextlib cannot pass on what asyncpg raises for SQLSTATEs of warnings.
        """
        if self.is_in_transaction():
            return await run()
        try:
            await self.execute(f"BEGIN ISOLATION LEVEL READ COMMITTED; {self.set_local}")
            result = await run()
            await self.execute("COMMIT")
        except TimeoutError:
            # The peer is silent, and a rollback would wait as long again.
            self.terminate()
            raise
        except Exception:
            if not self.is_closed() and self.is_in_transaction():
                await self.execute("ROLLBACK")
            raise
        return result


class _Statement:
    """A prepared statement, as far as SQLAlchemy uses it."""

    def __init__(
        self, connection: PooledConnection, statement: "PreparedStatement[asyncpg.Record]"
    ) -> None:
        self._connection = connection
        self._statement = statement
        self.get_attributes = statement.get_attributes
        self.get_statusmsg = statement.get_statusmsg

    async def fetch(self, *parameters: object) -> list[asyncpg.Record]:
        """Execute it, and return the rows."""
        fetch = partial(self._statement.fetch, *parameters)
        return await self._connection.in_transaction(fetch)


class _Transaction(Transaction):
    """A transaction that begins with the settings."""

    def __init__(self, connection: PooledConnection, **options: Any) -> None:
        super().__init__(connection, **options)
        self._pooled = connection

    async def start(self) -> None:
        """Begin it."""
        await super().start()
        if self._pooled.set_local:
            await self._pooled.execute(self._pooled.set_local)


class Connector:
    """Opens connections. It finds out whether a pooler is in between, and remembers that.

    Args:
        connect: Takes the arguments of `asyncpg.connect`.
        pooler: What is known before.
        start: Settings of the session, if there is no pooler.
        pooled_start: Settings of the session, if there is one.
        in_transactions: Settings of each transaction then.
    """

    def __init__(
        self,
        connect: Callable[..., Awaitable[Any]],
        pooler: Pooler,
        *,
        start: Mapping[str, str],
        pooled_start: Mapping[str, str],
        in_transactions: Mapping[str, str],
    ) -> None:
        self._connect = connect
        self._is_pooled = pooler == "transaction"
        self._start = start
        self._pooled_start = pooled_start
        self._set_local = set_local(in_transactions)

    async def connect(self, **arguments: Any) -> Connection:
        """Open a connection.

        Args:
            arguments: Further ones of `asyncpg.connect`.
        """
        if not self._is_pooled and (direct := await self._connect_directly(arguments)):
            return direct
        pooled = {
            "connection_class": PooledConnection,
            "server_settings": self._pooled_start,
            "statement_cache_size": 0,
        }
        connection: PooledConnection = await self._connect(**arguments | pooled)
        connection.set_local = self._set_local
        self._is_pooled = True
        return connection

    async def _connect_directly(self, arguments: dict[str, Any]) -> Connection | None:
        """Open a connection to Postgres itself; None if a pooler has answered."""
        try:
            connection: Connection = await self._connect(
                **arguments, connection_class=Connection, server_settings=self._start
            )
        except REFUSALS:
            return None
        try:
            if await is_direct(connection):
                return connection
        except BaseException:
            # SQLAlchemy does not know it yet, and nobody else would close it.
            connection.terminate()
            raise
        await connection.close()
        return None


async def is_pooled(connection: AsyncConnection) -> bool:
    """Return whether a connection goes through a pooler."""
    raw = await connection.get_raw_connection()
    # asyncpg takes any of its connections for an instance of any of its classes.
    return issubclass(type(raw.driver_connection), PooledConnection)


async def is_direct(connection: Connection) -> bool:
    """Return whether the session is that of the process that was named when it began.

    A pooler names a process of its own making, since the session may change.
    """
    statement = await connection.prepare("SELECT pg_backend_pid()", name="")
    return bool(await statement.fetchval() == connection.get_server_pid())


def set_local(settings: Mapping[str, str]) -> str:
    """Return the statement that sets settings until the end of a transaction."""
    if not settings:
        return ""
    calls = (f"set_config({_quote(n)}, {_quote(v)}, true)" for n, v in settings.items())
    return f"SELECT {', '.join(calls)}"


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
