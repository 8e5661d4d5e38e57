"""What a worker says of an input that it cannot read."""

import errno
import os
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from batching_demo.main_service.activities import load_records
from batching_demo.main_service.files.inspect import inspect
from batching_demo.main_service.files.slice import slices
from batching_demo.main_service.messages import Slice, Source


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text("id\n1\n")
    return path


def load(source: Source, slice_: Slice) -> ApplicationError:
    with pytest.raises(ApplicationError) as error:
        ActivityEnvironment().run(load_records, source, slice_)
    assert error.value.message.startswith(f"worker {os.getpid()}@")
    assert source.path in error.value.message
    return error.value


def test_a_file_that_is_missing_may_still_come(path: Path) -> None:
    source = inspect(path).source
    (slice_,) = slices(source, 1)
    path.unlink()
    error = load(source, slice_)
    assert "No such file or directory" in error.message
    assert "a worker needs it under the path that the starter read" in error.message
    assert not error.non_retryable


def test_a_file_that_has_changed_never_turns_back(path: Path) -> None:
    source = inspect(path).source
    (slice_,) = slices(source, 1)
    path.write_text("id\n2\n")
    error = load(source, slice_)
    assert "line 2: changed since it was read by the starter; start again" in error.message
    assert error.non_retryable


def test_a_directory_in_its_place_is_named(path: Path) -> None:
    source = inspect(path).source
    (slice_,) = slices(source, 1)
    path.unlink()
    path.mkdir()
    error = load(source, slice_)
    assert "Is a directory" in error.message
    assert not error.non_retryable


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.EACCES, errno.ETIMEDOUT])
@pytest.mark.parametrize("opens", [True, False])
def test_a_file_that_cannot_be_read_for_a_moment_is_waited_for(
    path: Path,
    code: int,
    opens: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    source = inspect(path).source
    (slice_,) = slices(source, 1)

    def fail(*_: object, **__: object) -> object:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        if opens:
            patched.setattr("batching_demo.main_service.files.read.chunks", fail)
        else:
            patched.setattr("builtins.open", fail)
        for _ in range(3):
            assert not load(source, slice_).non_retryable
    assert ActivityEnvironment().run(load_records, source, slice_) == b"1"
    failed, again = (record.getMessage() for record in caplog.records)
    assert f"orders.csv: cannot be read ({os.strerror(code)})" in failed
    assert "wait, and try again until it can be read" in failed
    assert "orders.csv can be read again" in again
