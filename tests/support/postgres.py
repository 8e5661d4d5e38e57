"""Postgres servers of the tests' own, and databases on them."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.database.engine import create_engine
from batching_demo.database.schema.migrations import migrate
from batching_demo.devstack.installation import POSTGRES_VERSION
from batching_demo.devstack.ports import find_free_port
from batching_demo.devstack.postgres import PostgresServer
from tests.support.database import TWINS, execute_at
from tests.support.roles import LOGINS, ROLES, apply_roles, let_log_in, url_as
from tools.pgbouncer import running_pgbouncer, through

DEBIAN = Path("/usr/lib/postgresql")
TEMPLATE = "template_batching_demo"
"""The migrated database of every server, which those of tests are copied from."""
CHEAP = "fsync = off\nautovacuum = off\n"
"""Killed servers lose nothing even so, and each test makes hundreds of files."""


class ChosenPostgres(PostgresServer):
    """The embedded Postgres, or an older one of Debian; maybe with PgBouncer in front.

    Args:
        directory: Holds the cluster.
        version: Of the server; None for the embedded one.
    """

    def __init__(self, directory: Path, version: str | None) -> None:
        super().__init__(directory / "postgres", find_free_port())
        self._version = version
        if version:
            self._locale = ("--locale=C.UTF-8",)
        self.pooler_port: int | None = None

    def _programs(self, account: pwd.struct_passwd | None) -> Path:
        return DEBIAN / self._version / "bin" if self._version else super()._programs(account)

    @property
    def cluster(self) -> Path:
        """The directory of the cluster."""
        return self._cluster

    def direct_url(self, database: str) -> str:
        """Return the URL of a database."""
        return make_url(self.url).set(database=database).render_as_string(hide_password=False)

    def url_of(self, database: str) -> str:
        """Return the URL of a database, through PgBouncer if that is in front."""
        url = self.direct_url(database)
        return through(self.pooler_port, url) if self.pooler_port else url


def chosen_postgres(config: pytest.Config) -> tuple[str | None, str | None]:
    """Return the version and the pooler that the command line chooses."""
    return config.getoption("--postgres"), config.getoption("--pooler")


@contextmanager
def open_directory() -> Iterator[Path]:
    """Make a directory that every user may enter.

    pytest's own directories are private, and root's Postgres runs as another user.
    """
    directory = Path(tempfile.mkdtemp(prefix="batching-demo-"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


async def prepare_cluster(place: Path, version: str | None) -> None:
    """Make a cluster with `TEMPLATE` in it and roles, for `running_postgres` to copy.

    Args:
        place: Where the directory of the cluster will be.
        version: As of `ChosenPostgres`.
    """
    with open_directory() as directory:
        server = ChosenPostgres(directory, version)
        server.initialise()
        with (server.cluster / "postgresql.conf").open("a") as file:
            file.write(CHEAP)
        server.start()
        try:
            await execute_at(server.url, f"CREATE DATABASE {TEMPLATE}")
            url = server.direct_url(TEMPLATE)
            await apply_roles(url)
            await let_log_in(url, *ROLES.names)
            await migrate(url_as(url, ROLES.owner), application_name="tests")
        finally:
            server.stop()
        server.directory.rename(place)


@contextmanager
def running_postgres(
    cluster: Path, version: str | None = None, pooler: str | None = None
) -> Iterator[ChosenPostgres]:
    """Run a server with a cluster of its own.

    Args:
        cluster: The cluster that it is a copy of.
        version: As of `ChosenPostgres`.
        pooler: The mode of the PgBouncer in front of it, if there is to be one.
    """
    with open_directory() as directory, ExitStack() as cleanup:
        server = ChosenPostgres(directory, version)
        # It keeps who owns the files, which is not root.
        subprocess.run(["cp", "-a", cluster, server.directory], check=True)
        server.start()
        cleanup.callback(server.stop, "immediate")
        if pooler:
            bouncer = running_pgbouncer(server, directory, pooler, LOGINS)
            server.pooler_port = cleanup.enter_context(bouncer)
        yield server


@asynccontextmanager
async def stopped(server: PostgresServer) -> AsyncIterator[None]:
    """Have a server crash, and start it again in the end."""
    await asyncio.to_thread(server.stop, "immediate")
    try:
        yield
    finally:
        await asyncio.to_thread(server.start)


async def create_database(server: ChosenPostgres, template: str = TEMPLATE) -> str:
    """Copy a database under a random name; return the URL of the copy."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    await execute_at(server.url, f"CREATE DATABASE {name} TEMPLATE {template}")
    return server.url_of(name)


@asynccontextmanager
async def open_engine(
    server: ChosenPostgres, url: str, pool_size: int = 5
) -> AsyncIterator[AsyncEngine]:
    """Make an engine on a database.

    Behind a pooler, or as a role that may do little, the tests themselves look past that.
    """
    engine = create_engine(url, application_name="tests", pool_size=pool_size)
    direct_url = server.direct_url(make_url(url).database or "")
    if url != direct_url:
        TWINS[engine] = create_engine(direct_url, application_name="tests")
    try:
        yield engine
    finally:
        await engine.dispose()
        if twin := TWINS.pop(engine, None):
            await twin.dispose()


@contextmanager
def in_recovery(server: PostgresServer) -> Iterator[None]:
    """Start a server as a standby, and as itself again in the end."""
    wanted = server.directory / str(POSTGRES_VERSION) / "standby.signal"
    server.stop()
    wanted.touch()
    try:
        server.start()
        yield
    finally:
        server.stop("immediate")
        wanted.unlink()
        server.start()


def shut_down_when_idle(server: PostgresServer) -> None:
    """Have a server end once its last session has ended; it takes no new ones."""
    lock = server.directory / str(POSTGRES_VERSION) / "postmaster.pid"
    os.kill(int(lock.read_text().split()[0]), signal.SIGTERM)
