"""What of a run makes its identity, and how much one workflow takes at most."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from batching_demo.contracts.encoding import pack, unpack
from batching_demo.contracts.errors import InputError
from batching_demo.contracts.limits import MAX_SLICE_BYTES
from batching_demo.contracts.names import WritePath
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.main_service.files.inspect import inspect
from batching_demo.main_service.files.read import read_slice
from batching_demo.main_service.files.slice import slices
from batching_demo.main_service.messages import MainInput, RunOptions, Source
from batching_demo.main_service.preparation import prepare_slice
from batching_demo.main_service.run_options import (
    check_records_per_workflow,
    records_per_slice,
    run_id,
)

SOURCE = Source("/a.csv", "a.csv", "digest", "csv")
OPTIONS = RunOptions(["key"])


@pytest.mark.parametrize(
    ("source", "options"),
    [
        (replace(SOURCE, digest="other"), OPTIONS),
        (replace(SOURCE, format="ndjson"), OPTIONS),
        (replace(SOURCE, encoding="cp1252"), OPTIONS),
        (replace(SOURCE, delimiter=";"), OPTIONS),
        (SOURCE, replace(OPTIONS, key_columns=[])),
        (SOURCE, replace(OPTIONS, key_columns=["key", "b"])),
        (SOURCE, replace(OPTIONS, key_prefix="x")),
        (SOURCE, replace(OPTIONS, write_path=WritePath.UNBATCHED)),
        (SOURCE, replace(OPTIONS, run_label="again")),
        (SOURCE, replace(OPTIONS, records_per_workflow=2)),
        (
            SOURCE,
            replace(OPTIONS, records_per_workflow=1_000, settings=BatcherSettings(max_records=1)),
        ),
    ],
)
def test_what_decides_the_work_decides_the_identity(source: Source, options: RunOptions) -> None:
    assert run_id(source, options) != run_id(SOURCE, OPTIONS)


def test_nothing_else_does() -> None:
    elsewhere = replace(SOURCE, path="/b.csv", name="b.csv")
    settings = BatcherSettings(max_records=7, linger_seconds=1)
    paced = replace(OPTIONS, deadline_seconds=5, shards=3, settings=settings)
    assert run_id(elsewhere, paced) == run_id(SOURCE, OPTIONS)


def test_slices_are_told_apart_from_those_of_other_sizes() -> None:
    """A workflow of 200 records must not count as done for one of 1,000 at the same place."""
    sizes = [
        replace(OPTIONS, records_per_workflow=1_000, settings=BatcherSettings(max_records=size))
        for size in (1, 4, 5)
    ]
    assert [records_per_slice(options) for options in sizes] == [200, 800, 1_000]
    assert all(run_id(SOURCE, one) != run_id(SOURCE, other) for one, other in pairwise(sizes))


@pytest.mark.parametrize("shards", [1, 1000])
def test_what_preparation_returns_is_far_from_the_largest_payload(
    tmp_path: Path, shards: int
) -> None:
    one_each = BatcherSettings(max_records=1)
    label = "\U0001f600" * 100
    options = RunOptions(["k"], 100_000, one_each, shards, run_label=label)
    path = tmp_path / ("\U0001f600" * 62 + ".ndjson")
    path.write_text("".join(f'{{"k":{number}}}\n' for number in range(3_000)))
    source = inspect(path).source
    total = 0
    for slice_ in slices(source, records_per_slice(options)):
        main_input = MainInput(source, slice_, options)
        raw = read_slice(source, slice_)
        packed = pack(prepare_slice(main_input, "main-0123456789abcdef-0", raw))
        assert len(packed) < 3 * MAX_SLICE_BYTES
        total += sum(submission.header.records for submission in unpack(packed))
    assert total == 3_000


def test_settings_of_batchers_do_not_decide_which_run_it_is() -> None:
    check_records_per_workflow(RunOptions([], 200, BatcherSettings(max_records=1)))
    with pytest.raises(InputError, match=r"--records-per-workflow 201: .* give at most 200"):
        check_records_per_workflow(RunOptions([], 201, BatcherSettings(max_records=1)))
