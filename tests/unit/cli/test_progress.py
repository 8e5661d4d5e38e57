"""What the progress bar shows."""

import time

import pytest

from batching_demo.cli.submitting.progress import verdict_progress
from batching_demo.main_service.summary import Summary


def test_counts_rate_and_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("NO_COLOR", "1")
    with verdict_progress(10, shown=True) as on_change:
        for done in range(1, 8):
            on_change(Summary(read=8, written=done - 1, rejected=1, pending=8 - done))
            time.sleep(0.06)
    shown = capsys.readouterr().err
    assert "7/10" in shown
    assert "6 written, 1 rejected" in shown
    assert "records/s" in shown
    assert "0:00:0" in shown


def test_nothing_unless_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with verdict_progress(10, shown=False) as on_change:
        on_change(Summary(read=8, written=8))
    assert capsys.readouterr().err == ""
