"""The demo as a new user types it on a machine that is set up for somebody else's servers."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest
from temporalio.client import Client

from batching_demo.database.engine import create_engine
from batching_demo.devstack import stack
from tests.support.database import scalar
from tests.support.waiting import in_time

COMMAND = Path(sys.executable).with_name("batching-demo")
SHORT = ("--records", "3", "--write-path", "unbatched", "--linger", "0.1")
ENDLESS = ("--records", "3", "--write-path", "batched", "--linger", "3000")
"""Three records fill no batch."""


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A place that root's Postgres can reach, with a space in its name and nothing in it."""
    directory = Path(tempfile.mkdtemp(prefix="batching-demo "))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        stack.down(directory / "new" / "batching-demo", lambda _: None)
        shutil.rmtree(directory)


@pytest.fixture
def foreign(
    place: Path, client: Client, servers: dict[str, str], empty_database_url: str, tmp_path: Path
) -> dict[str, str]:
    """The environment of somebody who works on another project."""
    address = client.service_client.config.target_host
    file = tmp_path / "temporalio" / "temporal.toml"
    file.parent.mkdir()
    file.write_text(f'[profile.default]\naddress = "{address}"\nnamespace = "{client.namespace}"\n')
    (tmp_path / "services").write_text("[other]\nhost=127.0.0.1\nport=1\ndbname=other\n")
    for name in ("batching_demo.py", "csv.py", "queue.py", "temporalio.py"):
        (tmp_path / name).write_text("raise SystemExit('a file of another project')\n")
    return {
        **os.environ,
        "DATABASE_URL": empty_database_url,
        "PGSERVICE": "other",
        "PGSERVICEFILE": str(tmp_path / "services"),
        "TEMPORAL_NAMESPACE": client.namespace,
        "XDG_CONFIG_HOME": str(tmp_path),
        # It is not there yet, nor what is above it.
        "XDG_STATE_HOME": str(place / "new"),
    }


async def call(environment: Mapping[str, str], directory: Path, *arguments: str) -> Process:
    """Start the command under a strict umask, in a directory with files of somebody else."""
    return await asyncio.create_subprocess_exec(
        COMMAND,
        *arguments,
        env=environment,
        cwd=directory,
        umask=0o077,
        stdout=PIPE,
        stderr=PIPE,
        start_new_session=True,
    )


def paste(line: str, environment: Mapping[str, str], directory: Path) -> str:
    """Run a line of output in the shell that it was printed in."""
    result = subprocess.run(
        ["/bin/sh", "-c", line],
        env=environment,
        cwd=directory,
        check=True,
        capture_output=True,
        text=True,
    )
    return result.stdout


async def tables(url: str) -> object:
    """Count the tables of a database."""
    engine = create_engine(url, application_name="tests")
    try:
        sql = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        return await scalar(engine, sql)
    finally:
        await engine.dispose()


def left_running(directory: Path) -> list[str]:
    """List the processes that name a directory in their command line or work for it."""
    words = {process: process.info["cmdline"] for process in psutil.process_iter(["cmdline"])}
    return [str(one) for one in words.values() if any(str(directory) in word for word in one or [])]


async def test_it_works_and_touches_nothing_foreign(
    foreign: dict[str, str], client: Client, empty_database_url: str, tmp_path: Path, place: Path
) -> None:
    process = await call(foreign, tmp_path, "demo", *SHORT)
    output, errors = [text.decode() for text in await in_time(process.communicate())]
    assert process.returncode == 0, errors
    assert "leaving alone what DATABASE_URL names" in errors
    assert re.search(r"^Postgres: .*, the embedded Postgres$", errors, re.MULTILINE)
    assert re.search(r"^Temporal: .*, the embedded Temporal, not .*temporal.toml", errors, re.M)

    assert await tables(empty_database_url) == 0
    assert [workflow.id async for workflow in client.list_workflows()] == []
    assert left_running(place) == []

    (start,) = re.findall("`(.* dev up)`", output)
    psql = [line.strip() for line in output.splitlines() if " psql " in line]
    paste(start, foreign, tmp_path)
    assert len(psql) == 2
    assert "unbatched" in paste(psql[0], foreign, tmp_path)
    paste(start.replace("dev up", "dev down"), foreign, tmp_path)


async def test_a_hang_up_stops_it(foreign: dict[str, str], tmp_path: Path, place: Path) -> None:
    process = await call(foreign, tmp_path, "demo", *ENDLESS)
    assert process.stderr
    while b"starting a worker" not in (line := await in_time(process.stderr.readline())):
        assert line, "it ended before"
    process.send_signal(signal.SIGHUP)
    _, errors = await in_time(process.communicate())
    assert process.returncode == 130, errors.decode()
    assert "Traceback" not in errors.decode()
    assert left_running(place) == []


async def test_a_state_directory_that_cannot_be_made(
    servers: dict[str, str], tmp_path: Path
) -> None:
    nowhere = {**os.environ, **servers, "XDG_STATE_HOME": os.devnull}
    process = await call(nowhere, tmp_path, "demo", "--use-environment", *SHORT)
    _, errors = await in_time(process.communicate())
    assert process.returncode == 1
    (line,) = [line for line in errors.decode().splitlines() if line.startswith("Error: ")]
    assert "XDG_STATE_HOME chooses another place" in line


async def test_a_worker_that_dies_is_named_with_the_end_of_its_log(
    servers: dict[str, str], tmp_path: Path
) -> None:
    refused = {**os.environ, **servers, "BATCHING_DEMO_THREADS": "none"}
    process = await call(refused, tmp_path, "demo", "--use-environment", *SHORT)
    _, errors = await in_time(process.communicate())
    assert process.returncode == 1
    said = errors.decode()
    assert "Error: the main worker has ended with exit code 2; the last lines of " in said
    assert "  Error: Invalid value for '--threads'" in said
