"""What a worker says of an input that it cannot read."""

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
    assert "Is a directory" in load(source, slice_).message
