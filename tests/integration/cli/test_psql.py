"""psql on a real database: it logs in, and nobody reads the password from the process list."""

import asyncio
import subprocess
from pathlib import Path

import psutil
import pytest
from sqlalchemy import make_url

from batching_demo.cli.psql import find_psql
from batching_demo.database.engine import create_engine
from tests.support.commands import aside
from tests.support.database import execute_at, fetch
from tests.support.processes import start_process
from tests.support.waiting import eventually

PASSWORD = "p@ss/w:rd+ %"


@pytest.fixture
async def login(servers: dict[str, str]) -> dict[str, str]:
    """The servers, with a user whose name and password want to be escaped."""
    url = make_url(servers["DATABASE_URL"])
    user = f"ann b+c@% {url.database}"
    await execute_at(servers["DATABASE_URL"], f"CREATE ROLE \"{user}\" LOGIN PASSWORD '{PASSWORD}'")
    url = url.set(username=user, password=PASSWORD).update_query_dict(
        {"prepared_statement_cache_size": "0"}
    )
    return {**servers, "DATABASE_URL": url.render_as_string(hide_password=False)}


async def test_it_logs_in_with_any_name_and_password(login: dict[str, str]) -> None:
    command = ("-m", "batching_demo", "psql", "--", "-tAc", "select current_user, 1 + 1")
    process = await start_process(login, *command)
    output, errors = await process.communicate()
    user = make_url(login["DATABASE_URL"]).username
    assert (process.returncode, output.decode()) == (0, f"{user}|2\n"), errors


async def test_the_command_line_has_no_password(login: dict[str, str]) -> None:
    command = ("-m", "batching_demo", "psql", "--", "-c", "select pg_sleep(600)")
    process = await start_process(login, *command)

    async def command_line() -> list[str]:
        words = psutil.Process(process.pid).cmdline()
        assert words
        assert words[0].endswith("psql")
        return words

    try:
        words = await eventually(command_line)
    finally:
        process.kill()
        await process.wait()
    assert any(word.startswith("--dbname=postgresql://") for word in words)
    assert "p%40ss" not in str(words)
    assert PASSWORD not in str(words)


async def test_the_printed_url_works_as_it_is(login: dict[str, str]) -> None:
    process = await start_process(login, "-m", "batching_demo", "db", "url")
    output, _ = await process.communicate()
    query = [find_psql(embedded=False), output.decode().strip(), "-tAc", "select 1"]
    shown = await asyncio.to_thread(
        subprocess.run, query, capture_output=True, text=True, check=False
    )
    assert shown.stdout == "1\n", shown.stderr


async def test_libpqs_variables_mean_the_same_to_all_commands(
    servers: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P41: a service that leads elsewhere, and settings that no URL has."""
    services = tmp_path / "services"
    services.write_text("[other]\nhostaddr=127.0.0.9\nport=1\ndbname=postgres\n")
    url = make_url(servers["DATABASE_URL"])
    environment = {
        **servers,
        "PGSERVICE": "other",
        "PGSERVICEFILE": str(services),
        "PGHOSTADDR": "127.0.0.9",
        "PGPASSWORD": str(url.password),
        "PGDATABASE": str(url.database),
        "PGOPTIONS": "-c search_path=elsewhere,public",
        "DATABASE_URL": f"postgresql://{url.username}@{url.host}:{url.port}",
    }
    query = "select current_database(), current_setting('search_path')"
    process = await start_process(environment, "-m", "batching_demo", "psql", "--", "-tAc", query)
    output, _ = await process.communicate()
    assert output.decode() == f"{url.database}|elsewhere,public\n"
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    engine = create_engine(environment["DATABASE_URL"], application_name="tests")
    assert await fetch(engine, query) == [(url.database, "elsewhere,public")]
    await engine.dispose()
    report = " ".join((await aside("doctor")).stdout.split())
    assert f"{url.host}:{url.port}/{url.database} from DATABASE_URL and PGDATABASE" in report
