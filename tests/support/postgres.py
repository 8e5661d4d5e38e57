"""Postgres servers of the tests' own, and databases on them."""

import asyncio
import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from sqlalchemy import make_url

from batching_demo.devstack.installation import POSTGRES_VERSION
from batching_demo.devstack.ports import find_free_port
from batching_demo.devstack.postgres import PostgresServer
from tests.support.database import execute_at


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


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Run a server with a new cluster."""
    with open_directory() as directory:
        server = PostgresServer(directory / "postgres", find_free_port())
        server.initialise()
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")


@asynccontextmanager
async def stopped(server: PostgresServer) -> AsyncIterator[None]:
    """Have a server crash, and start it again in the end."""
    await asyncio.to_thread(server.stop, "immediate")
    try:
        yield
    finally:
        await asyncio.to_thread(server.start)


def url_of(server: PostgresServer, database: str) -> str:
    """Return the URL of a database of a server."""
    return make_url(server.url).set(database=database).render_as_string(hide_password=False)


async def create_database(server: PostgresServer, template: str) -> str:
    """Copy a database under a random name; return the URL of the copy."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    await execute_at(server.url, f"CREATE DATABASE {name} TEMPLATE {template}")
    return url_of(server, name)


@contextmanager
def in_recovery(server: PostgresServer) -> Iterator[None]:
    """Start a server as a standby, and as itself again in the end."""
    wanted = server.data_directory / str(POSTGRES_VERSION) / "standby.signal"
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
    lock = server.data_directory / str(POSTGRES_VERSION) / "postmaster.pid"
    os.kill(int(lock.read_text().split()[0]), signal.SIGTERM)
