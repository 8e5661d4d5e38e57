"""Connections to a real server by URLs as providers hand them out."""

import os
import socket

import pytest

from batching_demo.contracts.names import WritePath
from batching_demo.database.connection.connect import DatabaseSource
from batching_demo.database.engine import create_engine
from batching_demo.database.errors import DatabaseFailedError
from tests.support.commands import aside
from tests.support.database import execute_at, fetch, scalar
from tests.support.records import record
from tests.support.waiting import eventually
from tests.support.writing import rows_of, write_by

ALL_AT_ONCE = (
    "connect_timeout=5&channel_binding=prefer&application_name=my%20app&keepalives=1"
    "&options=-csearch_path%3Dpublic%20--work-mem%3D9MB&gssencmode=disable&sslsni=1"
    "&sslmode=disable&sslrootcert=/x&target_session_attrs=read-write&tcp_user_timeout=9000"
    "&prepared_statement_cache_size=0"
)

CLOSE_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.mark.usefixtures("on_servers")
@pytest.mark.parametrize("command", ["doctor", "db upgrade", "dead-letters list"])
async def test_every_command_connects(
    database_url: str, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """P08."""
    monkeypatch.setenv("DATABASE_URL", f"{database_url}?{ALL_AT_ONCE}")
    result = await aside(*command.split())
    assert "Traceback" not in result.output
    assert "Error" not in result.output
    if command == "doctor":
        assert "from DATABASE_URL, server" in " ".join(result.stdout.split())
    else:
        assert result.exit_code == 0


async def test_the_session_is_as_the_url_says(database_url: str) -> None:
    engine = create_engine(f"{database_url}?{ALL_AT_ONCE}", application_name="tests")
    names = ("application_name", "search_path", "work_mem", "statement_timeout")
    settings = await fetch(engine, f"SELECT {','.join(f'current_setting({n!r})' for n in names)}")
    assert settings == [("my app", "public", "9MB", "30s")]
    await engine.dispose()


@pytest.mark.filterwarnings("error")
async def test_a_time_that_the_system_refuses_is_named_and_leaves_no_connection(
    database_url: str,
) -> None:
    engine = create_engine(f"{database_url}?keepalives_idle=40000", application_name="tests")
    with pytest.raises(DatabaseFailedError, match="keepalives_idle in DATABASE_URL is more than"):
        await fetch(engine, "SELECT 1")
    await engine.dispose()


@pytest.mark.parametrize(
    ("query", "is_kept_alive"), [("", True), ("?keepalives=0", False), ("?keepalives_idle=7", True)]
)
async def test_the_system_asks_silent_peers(
    database_url: str, query: str, *, is_kept_alive: bool
) -> None:
    connection = await DatabaseSource(f"{database_url}{query}").connect()
    connected = connection._transport.get_extra_info("socket")  # type: ignore[attr-defined]  # asyncpg offers no other way
    found = connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    idle = connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
    await connection.close()
    assert bool(found) is is_kept_alive
    assert (idle == 7) is ("idle" in query)


@pytest.mark.parametrize("options", ["-cnope%3D1", "endpoint%3Dep-1", "-cwork_mem%3Dmuch"])
async def test_options_that_postgres_does_not_know_are_named(
    database_url: str, options: str
) -> None:
    engine = create_engine(f"{database_url}?options={options}", application_name="tests")
    with pytest.raises(DatabaseFailedError) as failed:
        await scalar(engine, "SELECT 1")
    await engine.dispose()
    assert str(failed.value).startswith("Postgres refuses the parameter options in DATABASE_URL: ")
    assert os.linesep not in str(failed.value)


@pytest.mark.no_pooler
async def test_no_write_fails_after_the_server_has_closed_idle_connections(
    database_url: str,
) -> None:
    engine = create_engine(database_url, application_name="tests")
    async with engine.connect() as one, engine.connect() as other:
        drivers = [(await it.get_raw_connection()).driver_connection for it in (one, other)]
    await execute_at(database_url, CLOSE_OTHERS)

    async def check() -> None:
        assert all(driver and driver.is_closed() for driver in drivers)

    await eventually(check)
    for name in ("first", "second"):
        written = await write_by(WritePath.BATCHED, engine, rows_of((name, [record(name)])))
        assert written.codes == ["w"]
    await engine.dispose()
