"""How commands end, and standard streams on which a write never fails."""

import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest
from temporalio.service import RPCError, RPCStatusCode

from batching_demo.cli.app import CommandGroup
from batching_demo.cli.process import streams
from batching_demo.cli.process.endings import CommandFailure, exit_code_of
from batching_demo.database.errors import DatabaseFailedError, Failure, FailureKind
from batching_demo.stopping import stop_signals
from tests.support.commands import run


def fail(error: BaseException) -> Callable[[], None]:
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SystemExit(3), 3),
        (SystemExit(None), 0),
        (click.UsageError("no"), 2),
        (CommandFailure("no", 1), 1),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (ValueError("hunter2"), 1),
        (BrokenPipeError(32, "not of a standard stream"), 1),
    ],
)
def test_exit_codes(error: BaseException, code: int) -> None:
    assert exit_code_of(fail(error)) == code


def test_the_last_resort_is_one_line_without_what_the_error_quotes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BATCHING_DEMO_TRACEBACK", raising=False)
    assert exit_code_of(fail(ValueError("hunter2"))) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: unexpected ValueError at ")
    assert "hunter2" not in line

    monkeypatch.setenv("BATCHING_DEMO_TRACEBACK", "1")
    exit_code_of(fail(ValueError("hunter2")))
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (RPCError("gone", RPCStatusCode.NOT_FOUND, b""), "Error: Temporal: gone (NOT_FOUND)"),
        (
            DatabaseFailedError(Failure(FailureKind.OUTAGE, "the table is gone")),
            "Error: the table is gone",
        ),
    ],
)
def test_an_error_keeps_its_line_where_its_server_cannot_be_named(
    error: Exception, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = click.Command("fail", callback=fail(error))
    monkeypatch.setattr(CommandGroup, "get_command", lambda *_: command)
    monkeypatch.setenv("TEMPORAL_PROFILE", "absent")
    monkeypatch.setenv("DATABASE_URL", "postgresql://db:port/x")
    result = run("fail")
    assert (result.exit_code, result.stderr) == (1, f"{line}\n")


@contextmanager
def standard_output_to(path: str, flags: int, encoding: str = "utf-8") -> Iterator[None]:
    """Lead descriptor 1 elsewhere, as a shell does, and open the streams on it."""
    kept = sys.stdout, sys.stderr
    saved, opened = os.dup(1), os.open(path, flags)
    os.dup2(opened, 1)
    sys.stdout = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    try:
        streams.open_standard_streams()
        yield
    finally:
        sys.stdout, sys.stderr = kept
        os.dup2(saved, 1)
        os.close(saved)
        os.close(opened)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has it")
def test_a_full_disk_is_named_at_the_end() -> None:
    with standard_output_to("/dev/full", os.O_WRONLY):
        click.echo("x" * 100_000)
        click.echo("more")
        assert streams.lost_output() == "No space left on device"


def test_a_reader_that_left_changes_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with standard_output_to(f"/proc/self/fd/{writing}", os.O_WRONLY | os.O_NONBLOCK):
        os.dup2(writing, 1)
        click.echo("x" * 100_000)
        assert streams.lost_output() == ""
        assert streams.reader_left()
    os.close(writing)


def test_what_an_encoding_lacks_is_escaped(tmp_path: Path) -> None:
    path = tmp_path / "said"
    path.touch()
    with standard_output_to(str(path), os.O_WRONLY, "latin-1"):
        click.echo("é 日 \udcff")
        assert streams.lost_output() == ""
    assert path.read_bytes() == b"\xe9 \\u65e5 \\udcff\n"


def test_a_hang_up_stops_a_process_unless_nohup_started_it() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        assert signal.SIGHUP in stop_signals()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        assert signal.SIGHUP not in stop_signals()
    finally:
        signal.signal(signal.SIGHUP, before)
