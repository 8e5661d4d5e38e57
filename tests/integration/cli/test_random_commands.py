"""Whatever is typed, in whatever environment, ends with a documented code and no traceback."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from batching_demo.cli import psql
from batching_demo.cli.app import app
from batching_demo.cli.batcher import worker as batcher_worker
from batching_demo.cli.comparison import demo
from batching_demo.cli.main import worker as main_worker
from batching_demo.temporal import connecting
from tests.support.random_commands import Call, Calls

EXIT_CODES = {0, 1, 2, 3, 130}
PROGRAM = [sys.executable, "-m", "batching_demo"]
LAST_RESORT = "please report this"
SECRET = "hunter2"
WAITS = {("batcher", "worker"), ("main", "worker")}
"""They try again for ever."""


def judge(call: Call, exit_code: int, output: str) -> None:
    said = f"{call.arguments} {dict(call.environment)} -> {exit_code}: {output}"
    assert exit_code in EXIT_CODES, said
    assert "Traceback" not in output, said
    assert LAST_RESORT not in output, said
    if call.arguments[:2] != ["db", "url"]:
        assert SECRET not in output, said


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[int, int], None]:
    """Run calls in this process, which has to survive them."""

    def leave(*_: object) -> None:
        raise SystemExit(0)

    monkeypatch.setattr(os, "execve", leave)
    monkeypatch.setattr(demo, "interrupt_on_signals", lambda: None)
    monkeypatch.setattr(psql, "find_psql", lambda embedded: "psql")
    for module in (batcher_worker, main_worker):
        monkeypatch.setattr(module, "connect_with_retries", connecting.connect)
    monkeypatch.chdir(tmp_path)

    def run(seed: int, calls: int) -> None:
        made = Calls(tmp_path, seed)
        nothing: dict[str, str | None] = dict.fromkeys(os.environ)
        for call in (made.one() for _ in range(calls)):
            result = CliRunner().invoke(
                app,
                call.arguments,
                input=call.standard_input,
                env={**nothing, **call.environment},
            )
            judge(call, result.exit_code, result.output)
            assert result.exception is None or isinstance(result.exception, SystemExit), call

    return run


def test_random_calls(in_this_process: Callable[[int, int], None]) -> None:
    in_this_process(1, 300)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("seed", range(20))
def test_many_random_calls(in_this_process: Callable[[int, int], None], seed: int) -> None:
    in_this_process(100 + seed, 100)


def without_descriptors(call: Call, closed: str, directory: Path) -> None:
    """Run a call as a process, with standard streams that a shell closes or sends elsewhere."""
    result = subprocess.run(
        ["/bin/sh", "-c", f'"$@" {closed}', "sh", *PROGRAM, *call.arguments],
        env={**call.environment},
        input=call.standard_input,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=directory,
        check=False,
        timeout=60,
    )
    judge(call, result.returncode, result.stdout.decode(errors="replace"))


REDIRECTIONS = ["", ">&-", "2>&-", "<&-", ">&- 2>&- <&-", ">/dev/full", "2>/dev/full", "<&- >&-"]


def run_processes(directory: Path, seed: int, calls: int) -> None:
    made = Calls(directory, seed)
    done = 0
    while done < calls:
        call = made.one()
        if any(tuple(call.arguments[: len(path)]) == path for path in WAITS):
            continue
        without_descriptors(call, REDIRECTIONS[done % len(REDIRECTIONS)], directory)
        done += 1


def test_random_processes(tmp_path: Path) -> None:
    run_processes(tmp_path, 1, 3)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_many_random_processes(tmp_path: Path) -> None:
    run_processes(tmp_path, 2, 100)
