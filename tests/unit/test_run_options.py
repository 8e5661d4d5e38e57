"""What of a run makes its identity, and how much one workflow takes at most."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from batching_demo.contracts.limits import MAX_SLICE_BYTES
from batching_demo.contracts.messages import SubmissionHeader
from batching_demo.contracts.names import WritePath
from batching_demo.main_service.files.inspect import inspect
from batching_demo.main_service.files.read import read_slice
from batching_demo.main_service.files.slice import slices
from batching_demo.main_service.messages import PrepareInput, Source
from batching_demo.main_service.packing import pack, unpack
from batching_demo.main_service.preparation import cut, prepare
from batching_demo.main_service.run_options import RunOptions, run_id

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
        (SOURCE, replace(OPTIONS, records_per_workflow=1_000, max_records=1)),
    ],
)
def test_what_decides_the_work_decides_the_identity(source: Source, options: RunOptions) -> None:
    assert run_id(source, options) != run_id(SOURCE, OPTIONS)


def test_nothing_else_does() -> None:
    elsewhere = replace(SOURCE, path="/b.csv", name="b.csv")
    paced = replace(OPTIONS, max_open=1, wait=False, deadline_seconds=5, shards=3, max_records=7)
    assert run_id(elsewhere, paced) == run_id(SOURCE, OPTIONS)


def test_slices_are_told_apart_from_those_of_other_sizes() -> None:
    """A workflow of 200 records must not count as done for one of 1,000 at the same place."""
    sizes = [replace(OPTIONS, records_per_workflow=1_000, max_records=size) for size in (1, 4, 5)]
    assert [options.records_per_slice for options in sizes] == [200, 800, 1_000]
    assert all(run_id(SOURCE, one) != run_id(SOURCE, other) for one, other in pairwise(sizes))


@pytest.mark.parametrize("shards", [1, 1000])
def test_what_preparation_returns_is_far_from_the_largest_payload(
    tmp_path: Path, shards: int
) -> None:
    options = RunOptions(["k"], 100_000, max_records=1, shards=shards, run_label="\U0001f600" * 100)
    path = tmp_path / ("\U0001f600" * 62 + ".ndjson")
    path.write_text("".join(f'{{"k":{number}}}\n' for number in range(3_000)))
    source = inspect(path).source
    total = 0
    for slice_ in slices(source, options.records_per_slice):
        prepare_input = PrepareInput(
            source, slice_, ["k"], "", "main-0123456789abcdef-0", options.run_label, 1, shards
        )
        raw = read_slice(source, slice_)
        packed = pack(*cut(prepare(source, slice_, raw, ["k"], ""), prepare_input))
        assert len(packed) < 3 * MAX_SLICE_BYTES
        assert isinstance(unpack(packed)[0][0].header, SubmissionHeader)
        total += sum(submission.header.records for submission, _ in unpack(packed))
    assert total == 3_000
