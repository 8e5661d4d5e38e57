"""Let a batcher worker write to the database of its namespace only."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError

from batching_demo.batcher_service.failures import database_failures_reported
from batching_demo.contracts.identity import IDENTIFY_ACTIVITY, describe_mismatch
from batching_demo.database.advice import OUTAGE_ADVICE
from batching_demo.database.errors import DatabaseFailedError, Failure, FailureKind
from batching_demo.database.identity import read_identity
from batching_demo.temporal.namespace_database import claim, find_database

TRUSTED_SECONDS = 5.0
"""How long writes go on without another look, if none of them fails meanwhile."""
LONGEST_LOOK_SECONDS = 5.0


class OtherDatabaseError(DatabaseFailedError):
    """The namespace is for another database; the message says what to do."""


class IdentityGuard:
    """Compares the identity of a worker's database with that of its namespace.

    The first worker in a namespace makes it that of its database. A worker does not start with
    another database. It may meet another one later: somebody rebuilds or restores it, or
    `db adopt` gives the namespace away. Then its writes fail, and the server retries them.

    Args:
        engine: Of the worker's database.
        client: Of its namespace.
    """

    def __init__(self, engine: AsyncEngine, client: Client) -> None:
        self._engine = engine
        self._client = client
        self._identity = ""
        self._trusted_until = -math.inf

    async def look(self) -> str:
        """Look at the database and at the namespace, and return the identity of both.

        Raises:
            OtherDatabaseError: They differ.
            DatabaseFailedError: The database does not answer, or is not migrated.
            RPCError: Temporal does not answer.
        """
        self._trusted_until = -math.inf
        identity = await read_identity(self._engine)
        expected = await self._expected(identity)
        if identity != expected:
            # The URL may lead elsewhere by now: a file that holds it is read for new connections.
            await self._engine.dispose()
            line = describe_mismatch(self._client.namespace, expected, identity)
            raise OtherDatabaseError(Failure(FailureKind.OPERATOR, line))
        self._identity = identity
        self._trusted_until = time.monotonic() + TRUSTED_SECONDS
        return identity

    async def _expected(self, identity: str) -> str:
        """Return the identity of the namespace's database."""
        try:
            return await claim(self._client, identity)
        except RPCError:
            # Too many requests, for example: what the namespace said before holds meanwhile.
            if identity != self._identity:
                raise
            return identity

    @asynccontextmanager
    async def guarding(self) -> AsyncIterator[None]:
        """Write within this. It looks first, unless the last look was a moment ago.

        Raises:
            OtherDatabaseError: The database is not that of the namespace; nothing was written.
        """
        if time.monotonic() >= self._trusted_until:
            await self.look()
        try:
            yield
        except DatabaseFailedError:
            # When it answers again, it may be another one.
            self._trusted_until = -math.inf
            raise

    @activity.defn(name=IDENTIFY_ACTIVITY)
    async def identify(self) -> str:
        """Return the identity; while the database does not answer, that of the namespace.

        Raises:
            ApplicationError: The database is not that of the namespace, or nobody knows.
        """
        with database_failures_reported():
            try:
                return await self.look_again()
            except DatabaseFailedError as error:
                known = await find_database(self._client) if error.is_outage else None
                if known is None:
                    raise
                return known

    async def look_again(self) -> str:
        """Look, twice if the database does not answer, and at most for some seconds.

        A database that was rebuilt has closed the connections of the pool.

        Raises:
            OtherDatabaseError: It is not that of the namespace.
            DatabaseFailedError: It does not answer, or is not migrated.
            RPCError: Temporal does not answer.
        """
        try:
            async with asyncio.timeout(LONGEST_LOOK_SECONDS):
                try:
                    return await self.look()
                except DatabaseFailedError as error:
                    if not error.is_outage:
                        raise
                return await self.look()
        except TimeoutError:
            raise DatabaseFailedError(Failure(FailureKind.OUTAGE, OUTAGE_ADVICE)) from None
