"""What a workflow gets of a file: its own records, bounded, and nothing of a file that changed."""

import hashlib
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from batching_demo.contracts.encoding import encoded_size
from batching_demo.contracts.limits import MAX_RECORD_BYTES, MAX_SLICE_BYTES
from batching_demo.main_service.files.csv_format import LONGEST_RECORD_BYTES
from batching_demo.main_service.files.inspect import inspect
from batching_demo.main_service.files.read import is_oversized, read_slice
from batching_demo.main_service.files.slice import slices
from batching_demo.main_service.files.source_file import SourceError
from batching_demo.main_service.messages import RunOptions
from batching_demo.main_service.preparation import prepare
from tests.support.preparing import code, prepared, write


def test_slices(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", 'key\n\n1\n"2\n"\n\n\n3\r\n4\r5')
    source = inspect(path).source
    found = list(slices(source, 2))
    assert [read_slice(source, slice_) for slice_ in found] == [b'1\n"2\n"', b"3\r\n4", b"5"]
    assert [slice_.first_line for slice_ in found] == [3, 8, 10]
    assert [slice_.position for slice_ in found] == [0, 2, 4]
    assert [slice_.records for slice_ in found] == [2, 2, 1]


def test_slices_of_the_first_records(tmp_path: Path) -> None:
    path = write(tmp_path / "x.ndjson", "1\n2\n3\n4\n5\n")
    source = inspect(path).source
    assert [slice_.records for slice_ in slices(source, 2, 3)] == [2, 1]
    assert [slice_.records for slice_ in slices(source, 2, 0)] == []
    assert [slice_.records for slice_ in slices(source, 2, 50)] == [2, 2, 1]


@pytest.mark.parametrize(
    "row",
    [
        "1,2,3,4,5,6,7,8",
        "\x01" * 50 + ",2,3,4,5,6,7,8",
        '"' + '""' * 100 + '",2,3,4,5,6,7,8',
        "a" * 500 + ",2,3,4,5,6,7,8",
        '"\n\n\n\n",2,3,4,5,6,7,8',
        "\\" * 3_000 + ",2,3,4,5,6,7,8",
        "1,2",
        "",
    ],
)
def test_what_preparation_makes_of_a_slice_is_bounded(tmp_path: Path, row: str) -> None:
    header = ",".join(f'"a ""long"" name {number}"' for number in range(8))
    path = write(tmp_path / "x.csv", f"{header}\n" + f"{row}\n" * (2_000_000 // (len(row) + 100)))
    inspected = inspect(path)
    source = inspected.source
    found = list(slices(source, 100_000))
    assert sum(slice_.records for slice_ in found) == inspected.records
    total = 0
    for slice_ in found:
        records = prepare(
            source, slice_, read_slice(source, slice_), RunOptions(source.columns[:1])
        )
        size = sum(map(encoded_size, records))
        assert max(size, slice_.length) <= MAX_SLICE_BYTES
        total += size
    assert len(found) <= 1 + 13 * total / MAX_SLICE_BYTES


@pytest.mark.parametrize("line", ["x", '{"key": "' + "k" * 500 + '"}', '{"key": 1}'])
@pytest.mark.parametrize("key_columns", [["key"], []])
def test_what_is_made_of_ndjson_is_bounded_too(
    tmp_path: Path, line: str, key_columns: list[str]
) -> None:
    source = inspect(write(tmp_path / "x.ndjson", f"{line}\n" * 10_000)).source
    for slice_ in slices(source, 100_000):
        records = prepare(source, slice_, read_slice(source, slice_), RunOptions(key_columns))
        assert sum(map(encoded_size, records)) <= MAX_SLICE_BYTES


@pytest.mark.parametrize(
    ("name", "content", "line_after"),
    [
        ("x.ndjson", '{{"key": 1}}\n{big}\n{{"key": 3}}\n', 3),
        ("x.csv", 'key,b\n1,\n"{big}\r\n\r\n",2\n3,\n', 6),
    ],
)
def test_an_oversized_record_is_never_read_whole(
    tmp_path: Path, name: str, content: str, line_after: int
) -> None:
    big = "é" * (MAX_RECORD_BYTES * 11 // 20)
    path = write(tmp_path / name, content.format(big=big))
    source = inspect(path).source
    before, oversized, after = slices(source, 100)
    assert [is_oversized(slice_) for slice_ in (before, oversized, after)] == [False, True, False]
    raw = read_slice(source, oversized)
    text = path.read_bytes()[oversized.offset : oversized.offset + oversized.length]
    assert raw == hashlib.sha256(text).digest() + text[:4096]
    (record,) = prepare(source, oversized, raw, RunOptions(["key"]))
    assert record.rejection.startswith(f"too_large: the record has {len(text)} bytes")
    assert hashlib.sha256(text).hexdigest() in record.rejection
    assert len(record.payload.encode()) in (4095, 4096)
    assert text.decode().startswith(record.payload)
    assert after.first_line == line_after
    assert len(prepared(path, ["key"])) == 3


def test_a_record_of_the_largest_size_is_read_whole(tmp_path: Path) -> None:
    source = inspect(write(tmp_path / "x.ndjson", "x" * MAX_RECORD_BYTES)).source
    (slice_,) = slices(source, 1)
    assert not is_oversized(slice_)
    assert len(read_slice(source, slice_)) == MAX_RECORD_BYTES


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "key\n1\n2\n")
    source = inspect(path).source
    first, second = slices(source, 1)
    write(path, "key\n1\n3\n")
    assert read_slice(source, first) == b"1"
    with pytest.raises(SourceError, match="line 3: changed since it was read by the starter"):
        read_slice(source, second)
    with pytest.raises(SourceError, match="changed while it was read"):
        list(slices(source, 1))
    write(path, "key\n1")
    with pytest.raises(SourceError, match="changed"):
        read_slice(source, second)
    write(path, 'key\n"1')
    with pytest.raises(SourceError, match="changed while it was read"):
        list(slices(source, 1))


@pytest.mark.parametrize("change", ["write", "append", "replace"])
def test_a_file_that_changes_is_sliced_no_further(tmp_path: Path, change: str) -> None:
    path = write(tmp_path / "x.csv", "key\n1\n2\n3\n")
    inspected = inspect(path)
    planned = slices(inspected.source, 1, stamp=inspected.stamp)
    assert next(planned).position == 0
    content = "key\n1\n2\n4\n" if change == "write" else "key\n1\n2\n3\n4\n"
    if change == "replace":
        write(tmp_path / "y.csv", content).rename(path)
        assert next(planned).position == 1  # It still reads the old file, as its worker does not.
        late = slices(inspected.source, 1, stamp=inspected.stamp)
    else:
        write(path, content)
        late = slices(inspected.source, 1, stamp=inspected.stamp)
        with pytest.raises(SourceError, match="changed while it was read"):
            next(planned)
    with pytest.raises(SourceError, match="changed while it was read"):
        next(late)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "key\n1\n")
    source = inspect(path).source
    (slice_,) = slices(source, 1)
    elsewhere = replace(source, path=str(tmp_path / "gone.csv"))
    with pytest.raises(SourceError, match=r"gone\.csv: cannot be read"):
        read_slice(elsewhere, slice_)
    with pytest.raises(SourceError, match=r"gone\.csv: cannot be read"):
        next(slices(elsewhere, 1))


@contextmanager
def memory_below(limit: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("rows.csv", "é" * 100 + ',"' + "\n" * 10 + '"\r\n'),
        ("fields.csv", '"' + "x" * 9_000 + '""","",\r'),
        ("blank.csv", "\r\n" * 10 + "x" * 100 + "\r\n"),
        ("line.ndjson", "xé"),
        ("blank.ndjson", " "),
    ],
)
def test_memory_does_not_grow_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, unit: str
) -> None:
    monkeypatch.setattr("batching_demo.main_service.files.source_file.CHUNK_BYTES", 10_000)
    path = write(tmp_path / name, "a\n" + unit * (1_300_000 // len(unit)) + "\n")
    with memory_below(1_000_000):  # from 3.14 on, Python's own buffer of a file takes 128 KiB
        source = inspect(path).source
        for slice_ in slices(source, 10):
            read_slice(source, slice_)


def test_the_longest_record_of_csv_is_rejected(tmp_path: Path) -> None:
    longest = "2," + "x" * (LONGEST_RECORD_BYTES - 3)
    path = write(tmp_path / "x.csv", f"key,b\n1,\n{longest}\n3,\n")
    with memory_below(12 * LONGEST_RECORD_BYTES):
        records = prepared(path, ["key"])
    assert [(record.line, code(record)) for record in records] == [
        (2, ""),
        (3, "too_large"),
        (4, ""),
    ]


@pytest.mark.parametrize("text", ["x" * 1_000, "x" * 999 + "\n"])
def test_an_open_quote_does_not_fill_the_memory(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "x.csv", 'key\r\n1\r\n"' + text * 60_000)
    cause = r"x\.csv, line 3: the record that begins here is longer"
    with memory_below(5 * LONGEST_RECORD_BYTES), pytest.raises(SourceError, match=cause):
        inspect(path)
