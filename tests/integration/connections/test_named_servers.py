"""Every command that writes names its servers once, and what decided, before it asks them."""

import os
from collections.abc import Sequence
from pathlib import Path

import click
import pytest

from batching_demo.cli.app import app
from batching_demo.cli.batcher import worker as batcher_worker
from batching_demo.cli.main import worker as main_worker
from batching_demo.devstack.ports import find_free_port
from batching_demo.temporal.connecting import connect
from tests.support.commands import assert_one_line, run, tree


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty state directory, and servers that are not there."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{find_free_port()}")
    nothing = f"postgresql://nobody:hunter2@127.0.0.1:{find_free_port()}/nothing"
    monkeypatch.setenv("DATABASE_URL", nothing)


READS_ONLY = {
    *("batcher status", "batches", "db url", "dead-letters list", "dead-letters show", "doctor"),
    *("intake status", "targets check"),
    # About a queue, which an option names. The worker waits for it.
    *("intake send", "intake worker"),
    # About no server.
    "codec-server",
    # Interactive, or about the embedded servers alone, which are named as they start.
    *("psql", "dev up", "dev status", "dev down", "demo"),
}
ARGUMENTS = {
    "batcher configure": ["--linger", "1"],
    "batcher reshard": ["2"],
    "dead-letters discard": ["1"],
    "dead-letters retry": ["1"],
    "receipts prune": ["--older-than", "1d"],
}
ON_POSTGRES = {"batcher worker", "compare", "db adopt", "db roles", "db upgrade", *ARGUMENTS} - {
    *("batcher configure", "batcher reshard")
}
NOT_ON_TEMPORAL = {"db roles", "db upgrade", "dead-letters discard", "receipts prune"}
WRITING = [
    path
    for path, one in tree(app)
    if not isinstance(one, click.Group) and " ".join(path) not in READS_ONLY
]


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("path", WRITING, ids=" ".join)
def test_every_command_that_writes_names_the_servers_once_and_why(
    path: Sequence[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    name = " ".join(path)
    for module in (batcher_worker, main_worker):
        monkeypatch.setattr(module, "connect_with_retries", connect)
    result = run(*path, *ARGUMENTS.get(name, []))
    assert result.exit_code == 1
    lines = [*result.stderr.splitlines(), *caplog.messages]
    postgres = [line for line in lines if line.startswith("Postgres: 127.0.0.1:")]
    temporal = [line for line in lines if line.startswith("Temporal: 127.0.0.1:")]
    assert ["from DATABASE_URL" in line for line in postgres] == [True] * (name in ON_POSTGRES)
    named = [True] * (name not in NOT_ON_TEMPORAL)
    assert ["from TEMPORAL_ADDRESS" in line for line in temporal] == named
    assert "hunter2" not in result.output
    assert result.stdout == ""


@pytest.mark.usefixtures("environment")
def test_a_user_without_home_and_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 987_654)
    monkeypatch.setattr(os, "geteuid", lambda: 987_654)
    monkeypatch.delenv("HOME", raising=False)
    assert run("dev", "down").exit_code == 0
    monkeypatch.delenv("XDG_STATE_HOME")
    assert run("db", "--help").exit_code == 0
    assert run("db", "url").exit_code == 0
    for command in ("dev up", "dev status", "demo"):
        assert_one_line(run(*command.split()), 1, "no home directory", "XDG_STATE_HOME")
    assert "no home directory" in run("doctor").stdout
