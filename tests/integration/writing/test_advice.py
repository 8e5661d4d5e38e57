"""Each failure of a real server is worded as what it is."""

import asyncio
import os
import re
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.batcher_service.verdicts import gather
from batching_demo.database.engine import create_engine
from batching_demo.database.errors import DatabaseFailedError, database_errors
from batching_demo.database.schema.migrations import migrate
from batching_demo.database.writing.writes import write_batch
from batching_demo.devstack.account import server_account
from batching_demo.devstack.installation import POSTGRES_VERSION, find_postgres
from batching_demo.devstack.ports import find_free_port
from batching_demo.devstack.postgres import PostgresServer
from batching_demo.doctor.postgres.checks import check_postgres
from batching_demo.settings import Settings
from tests.support.database import execute, execute_at, fetch, locked_table
from tests.support.postgres import in_recovery, open_directory, shut_down_when_idle
from tests.support.records import batch_info, noise, record, submission
from tests.support.waiting import eventually

PASSWORD = "hunter2"
SLOW = (
    "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN PERFORM pg_sleep(60); RETURN NEW; END'",
    "CREATE TRIGGER slow BEFORE INSERT ON records FOR EACH ROW EXECUTE FUNCTION slow()",
)
ROLE = f"LOGIN PASSWORD '{PASSWORD}'"


async def failure(engine: AsyncEngine, size: int = 0) -> str:
    """Write two records, and return why that failed."""
    made = submission("s/0", [record(key, {"key": noise(size, key)}) for key in "ab"])
    with pytest.raises(DatabaseFailedError) as failed:
        await write_batch(engine, gather([made]).rows, batch_info())
    return str(failed.value)


async def connecting(url: str) -> str:
    """Connect, and return why that failed."""
    engine = create_engine(url, application_name="tests")
    with pytest.raises(DatabaseFailedError) as failed, database_errors():
        async with engine.connect():
            pass
    await engine.dispose()
    assert PASSWORD not in str(failed.value)
    return str(failed.value)


def changed(url: str, **parts: str) -> str:
    return make_url(url).set(**parts).render_as_string(hide_password=False)  # type: ignore[arg-type]  # no part is a query


async def as_role(url: str, *statements: str) -> str:
    """Make a role of this database's own name, and return the URL with it."""
    role = f"role_{make_url(url).database}"
    await execute_at(
        url, f"CREATE ROLE {role} {ROLE}", *(each.format(role=role) for each in statements)
    )
    return changed(url, username=role, password=PASSWORD)


@asynccontextmanager
async def one_connection(url: str, *settings: str) -> AsyncIterator[AsyncEngine]:
    """Make an engine with one connection, which has these settings."""
    engine = create_engine(url, application_name="tests", pool_size=1)
    await execute(engine, *settings)
    yield engine
    await engine.dispose()


class TestConnecting:
    async def test_a_wrong_password(self, database_url: str) -> None:
        said = await connecting(changed(database_url, password=PASSWORD))
        assert re.search("password in DATABASE_URL is wrong", said)

    async def test_a_missing_database(self, database_url: str) -> None:
        said = await connecting(changed(database_url, database="absent"))
        assert re.search("the database in DATABASE_URL does not exist.*: create it", said)

    async def test_a_role_without_login(self, database_url: str) -> None:
        url = await as_role(database_url, "ALTER ROLE {role} NOLOGIN")
        assert "is not permitted to log in" in await connecting(url)

    @pytest.mark.parametrize(
        ("limited", "whose"), [("ROLE {role}", "role"), ("DATABASE {database}", "database")]
    )
    async def test_a_limit_of_connections(
        self, database_url: str, limited: str, whose: str
    ) -> None:
        database = make_url(database_url).database
        limit = f"ALTER {limited} CONNECTION LIMIT 0".replace("{database}", str(database))
        said = await connecting(await as_role(database_url, limit))
        assert f"no more connections (too many connections for {whose} " in said
        assert "--pool-size" in said


class TestWriting:
    async def test_a_schema_that_is_not_migrated(self, empty_database_url: str) -> None:
        async with one_connection(empty_database_url) as engine:
            assert (await failure(engine)).startswith("the schema is not migrated")

    async def test_a_search_path_without_the_tables(self, database_url: str) -> None:
        async with one_connection(database_url, "SET search_path = absent") as engine:
            assert "the search path does not name it" in await failure(engine)

    async def test_a_role_without_privileges(self, database_url: str) -> None:
        async with one_connection(await as_role(database_url)) as engine:
            said = await failure(engine)
        assert "(permission denied for table records): workers need what" in said

    async def test_a_role_that_may_not_use_the_schema(self, database_url: str) -> None:
        await execute_at(
            database_url,
            "CREATE SCHEMA closed",
            *(f"ALTER TABLE {table} SET SCHEMA closed" for table in ("records", "dead_letters")),
        )
        async with one_connection(await as_role(database_url)) as engine:
            assert "the search path does not name it" in await failure(engine)

    async def test_a_policy_that_refuses_all(self, database_url: str) -> None:
        url = await as_role(
            database_url,
            "ALTER TABLE records ENABLE ROW LEVEL SECURITY",
            "CREATE POLICY nobody ON records WITH CHECK (false)",
            "GRANT ALL ON records, dead_letters TO {role}",
        )
        async with one_connection(url) as engine:
            assert (await failure(engine)).startswith("a row level security policy refuses")

    @pytest.mark.parametrize("whose", ["ROLE {role}", "DATABASE {database}"])
    async def test_a_database_that_is_read_only(self, database_url: str, whose: str) -> None:
        whose = whose.replace("{database}", str(make_url(database_url).database))
        url = await as_role(
            database_url,
            "GRANT ALL ON records, dead_letters TO {role}",
            f"ALTER {whose} SET default_transaction_read_only = on",
        )
        async with one_connection(url) as engine:
            said = await failure(engine)
        assert said.startswith("the database is read-only: it is a standby, or")

    async def test_a_lock_that_is_not_to_be_had(
        self, engine: AsyncEngine, database_url: str
    ) -> None:
        async with (
            locked_table(engine),
            one_connection(database_url, "SET lock_timeout = 50") as own,
        ):
            assert (await failure(own)).startswith("a statement waited too long for a lock")

    async def test_a_statement_that_takes_too_long(
        self, engine: AsyncEngine, database_url: str
    ) -> None:
        await execute(engine, *SLOW)
        async with one_connection(database_url, "SET statement_timeout = 50") as own:
            assert (await failure(own)).startswith("a statement was cancelled: it took longer")

    async def test_a_session_that_somebody_ends(
        self, engine: AsyncEngine, database_url: str
    ) -> None:
        await execute(engine, *SLOW)
        async with one_connection(database_url) as own:
            ((pid,),) = await fetch(own, "SELECT pg_backend_pid()")
            writing = asyncio.create_task(failure(own))

            async def is_ended() -> None:
                sleeps = f"pid = {pid} AND wait_event = 'PgSleep'"
                end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {sleeps}"
                assert await fetch(engine, end) == [(True,)]

            await eventually(is_ended)
            said = await writing
        assert said.startswith("the connection to Postgres broke (")
        assert "terminating connection due to administrator command" in said


@pytest.fixture(scope="module")
async def own() -> AsyncIterator[PostgresServer]:
    """A server of this module's own, with few connections; its database is migrated."""
    with open_directory() as directory:
        server = PostgresServer(directory / "postgres", find_free_port())
        server.initialise()
        with settings_of(server).open("a") as settings:
            settings.write("max_connections = 8\nautovacuum = off\n")
        server.start()
        try:
            await migrate(server.url, application_name="tests")
            yield server
        finally:
            server.stop("immediate")


@contextmanager
def small_disk(directory: Path) -> Iterator[None]:
    """Mount a disk that the server may write to."""
    account = server_account()
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(directory)]
    if account is None or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small disk takes root, and the right to mount")
    try:
        os.chown(directory, account.pw_uid, account.pw_gid)
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


RELOAD = "SELECT pg_reload_conf()"


@contextmanager
def streaming(server: PostgresServer) -> Iterator[None]:
    """Receive the log of a server, as a standby does, and confirm what is received."""
    receiver = [str(find_postgres() / "pg_receivewal"), "--synchronous", "--no-loop", "--directory"]
    with tempfile.TemporaryDirectory() as directory:
        process = subprocess.Popen([*receiver, directory, "--dbname", server.url])
        try:
            yield
        finally:
            process.kill()
            process.wait()


class TestServer:
    async def test_a_full_disk(self, own: PostgresServer) -> None:
        with open_directory() as directory, small_disk(disk := directory / "disk"):
            await execute_at(
                own.url,
                f"CREATE TABLESPACE small LOCATION '{disk}'",
                "CREATE DATABASE small",
            )
            url = changed(own.url, database="small")
            await migrate(url, application_name="tests")
            await execute_at(url, "ALTER TABLE records SET TABLESPACE small")
            async with one_connection(url) as engine:
                assert (await failure(engine, 200_000)).startswith(
                    "the disk of the Postgres server is full: make room there"
                )
            await execute_at(own.url, "DROP DATABASE small WITH (FORCE)", "DROP TABLESPACE small")

    async def test_no_more_connections(self, own: PostgresServer) -> None:
        async with AsyncExitStack() as stack:
            with suppress(DBAPIError):
                for _ in range(9):
                    await stack.enter_async_context(one_connection(own.url, "SELECT 1"))
            said = await connecting(own.url)
        assert "takes no more connections (sorry, too many clients already): close some" in said

    async def test_a_login_that_pg_hba_refuses(self, own: PostgresServer) -> None:
        rules = settings_of(own).with_name("pg_hba.conf")
        rules.write_text(f"host all outsider 127.0.0.1/32 reject\n{rules.read_text()}")
        await execute_at(own.url, RELOAD)

        async def is_refused() -> None:
            said = await connecting(changed(own.url, username="outsider", password=PASSWORD))
            assert "pg_hba.conf rejects connection for host" in said

        await eventually(is_refused)

    async def test_a_commit_that_waits_for_a_missing_standby(self, own: PostgresServer) -> None:
        reader = await as_role(own.url, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
        wanted = "ALTER SYSTEM SET synchronous_standby_names = '{}'"

        async def commits(url: str) -> tuple[str, str]:
            (found,) = [
                one for one in await check_postgres(Settings(Path(), url)) if one.name == "commits"
            ]
            return found.outcome, found.detail

        async def expect(url: str, outcome: str, said: str) -> None:
            async def is_said() -> None:
                found = await commits(url)
                assert found[0] == outcome, found
                assert said in found[1]

            await eventually(is_said)

        for url in (own.url, reader):
            await expect(url, "ok", "synchronous_commit is on")
        await execute_at(own.url, wanted.format("nobody"), RELOAD)
        for url in (own.url, reader):
            await expect(url, "problem", "waits for 1 of synchronous_standby_names = 'nobody'")
        await execute_at(own.url, wanted.format("ANY 1 (*)"), RELOAD)
        with streaming(own):
            await expect(own.url, "ok", "1 connected")
            await expect(reader, "ok", "1 connected, though only a role with pg_read_all_stats")
        await execute_at(own.url, "ALTER SYSTEM RESET synchronous_standby_names", RELOAD)

    async def test_a_standby(self, own: PostgresServer) -> None:
        with in_recovery(own):
            async with one_connection(own.url) as engine:
                assert (await failure(engine)).startswith("the database is read-only: it is a st")
            found = await check_postgres(Settings(Path(), own.url))
            assert found[0].detail.endswith("is a standby, and read-only: name the primary")
            with pytest.raises(DatabaseFailedError, match="a standby, and read-only"):
                await migrate(changed(own.url, database="postgres"), application_name="tests")

    async def test_a_server_that_shuts_down(self, own: PostgresServer) -> None:
        async def is_shutting_down() -> None:
            said = await connecting(own.url)
            assert re.search("starting|shutting down", said)

        async with one_connection(own.url, "SELECT 1"):
            shut_down_when_idle(own)
            await eventually(is_shutting_down)


def settings_of(server: PostgresServer) -> Path:
    return server.directory / str(POSTGRES_VERSION) / "postgresql.conf"
