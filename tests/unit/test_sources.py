import hashlib
import json
import os
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from batching_demo.contracts import MAX_RECORD_BYTES, MAX_SLICE_BYTES, encoded_size
from batching_demo.main_service.preparation import prepare
from batching_demo.main_service.samples import FLIGHTS_KEY, flights
from batching_demo.main_service.sources import (
    SourceError,
    inspect,
    is_oversized,
    read_slice,
    slices,
)
from tests.unit.preparing import prepared


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(path: Path, **options: str) -> str:
    with pytest.raises(SourceError) as error:
        inspect(path, key_columns=["key"], **options)
    message = str(error.value)
    assert "\n" not in message
    return message


def test_what_inspection_finds(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbf key ;a;"b\nc"\r\n1;2;3\r\n\r\n4;5;6'
    path = write(tmp_path / "x.CSV", content)
    inspected = inspect(path, delimiter=";", key_columns=["key"])
    source = inspected.source
    assert (source.path, source.name) == (str(path), "x.CSV")
    assert source.digest == hashlib.sha256(content).hexdigest()
    assert (source.format, source.delimiter) == ("csv", ";")
    assert source.columns == ["key", "a", "b\nc"]
    assert inspected.records == 2


def test_a_relative_path_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "x.ndjson", "{}\n")
    monkeypatch.chdir(tmp_path)
    assert inspect(Path("x.ndjson")).source.path == str(tmp_path / "x.ndjson")


def test_the_digest_does_not_depend_on_the_name(tmp_path: Path) -> None:
    one, other = (write(tmp_path / name, '{"key": 1}\n') for name in ("a.ndjson", "b.jsonl"))
    assert inspect(one).source.digest == inspect(other).source.digest


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.txt", "key\n", "x.txt: unknown format; add --format csv|ndjson"),
        ("x.csv", "key,,b\n", "line 1: column 2 of the header has no name"),
        ("x.csv", '"key"," "\n', "line 1: column 2 of the header has no name"),
        ("x.csv", "\n\nkey, key \n", "line 3: the header names column 'key' twice"),
        ("x.csv", "key,b\0\n", "line 1: the name of column 2 contains a NUL"),
        ("x.csv", "a,b\n1,2\n", "x.csv: no column 'key'; the header has 'a', 'b'"),
        ("x.csv", "key,b", None),
        ("x.csv", "k" * (MAX_RECORD_BYTES + 1), "line 1: the header is longer than"),
        ("x.csv", 'key\r1\r"a\r\nb\n"c\r', "line 5: text follows a closing quote"),
        ("x.csv", 'key\r\n"1\r\n2"\r\n"3', "line 4: a quote opened here is never closed"),
        ("x.csv", b"key\r\n\xc3\xa9\r\n\xc3\r\n", "line 3: byte 0xC3 is not UTF-8"),
        ("x.csv", b"key\r1\r\xe2\x82", "line 3: byte 0xE2 is not UTF-8"),
        ("x.csv", b"\xff\xfek\0e\0y\0", "line 1: byte 0xFF is not UTF-8"),
        ("x.ndjson", b"{}\n\xed\xa0\x80\n", "line 2: byte 0xED is not UTF-8"),
        ("x.ndjson", ' [\n{"key": 1}\n]\n', "line 1: the file is one JSON array"),
        ("x.ndjson", '\n[{"key": 1}, {"key": 2}]', "line 2: the file is one JSON array"),
        ("x.ndjson", '[{"key": 1},\n{"key": 2}]', "jq -c '.[]'"),
        ("x.ndjson", '[1]\n{"key": 1}\n', None),
        ("x.ndjson", '[1,\n{"key": 1}\n', None),
        ("x.ndjson", "[1", None),
        ("x.csv", b"\xef\xbb\xbfkey\n1\n\xe9\n\n\n", "line 3: byte 0xE9 is not UTF-8"),
        ("x.ndjson", "[1]\n[2]\n", None),
    ],
)
def test_structure(tmp_path: Path, name: str, content: str | bytes, message: str | None) -> None:
    path = write(tmp_path / name, content)
    if message is None:
        inspect(path, key_columns=["key"])
    else:
        assert message in refusal(path)


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n", "\r", "\0", "§"])
def test_delimiters_that_cannot_be(tmp_path: Path, delimiter: str) -> None:
    assert "delimiter" in refusal(write(tmp_path / "x.csv", "key\n"), delimiter=delimiter)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "missing.csv")
    (tmp_path / "directory.csv").mkdir()
    assert "not a regular file" in refusal(tmp_path / "directory.csv")


def test_a_format_given_counts_more_than_the_suffix(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", '{"key": 1}\n')
    assert inspect(path, format="ndjson").records == 1


def test_a_small_buffer_refuses_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = 'key,b\r\n"1\r\n",é\r\n\r\n"2'
    path = write(tmp_path / "x.csv", content)
    expected = refusal(path)
    for size in range(1, 12):
        monkeypatch.setattr("batching_demo.main_service.scanning.CHUNK_BYTES", size)
        assert refusal(path) == expected
    assert "line 5" in expected


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
        records = prepare(source, slice_, read_slice(source, slice_), source.columns[:1], "")
        size = sum(map(encoded_size, records))
        assert max(size, slice_.length) <= MAX_SLICE_BYTES
        total += size
    assert len(found) <= 1 + 10 * total / MAX_SLICE_BYTES


@pytest.mark.parametrize("line", ["x", '{"key": "' + "k" * 500 + '"}', '{"key": 1}'])
@pytest.mark.parametrize("key_columns", [["key"], []])
def test_what_is_made_of_ndjson_is_bounded_too(
    tmp_path: Path, line: str, key_columns: list[str]
) -> None:
    source = inspect(write(tmp_path / "x.ndjson", f"{line}\n" * 10_000)).source
    for slice_ in slices(source, 100_000):
        records = prepare(source, slice_, read_slice(source, slice_), key_columns, "")
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
    (record,) = prepare(source, oversized, raw, ["key"], "")
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


def test_names_that_are_no_text_are_shown_all_the_same(tmp_path: Path) -> None:
    for name, shown in ((b"caf\xe9.csv", r"caf\xe9.csv"), (b"new\nline.csv", r"new\nline.csv")):
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
        source = inspect(write(path, "key\n1\n")).source
        assert source.name == shown
        (slice_,) = slices(source, 1)
        assert read_slice(source, slice_) == b"1"
        assert refusal(write(path, "kay\n1\n")).startswith(shown)
        path.unlink()
        assert shown in refusal(path)


def test_of_a_name_that_gets_too_long_the_end_is_shown(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + b"\xe9" * 250 + b".csv"))
    name = inspect(write(path, "key\n1\n")).source.name
    assert (len(name), name[-8:]) == (255, r"\xe9.csv")


@pytest.mark.parametrize(
    ("start", "advice"),
    [
        (b"\x1f\x8b", "ends in .gz"),
        (b"\xff\xfe", "--encoding utf-16"),
        (b"\xfe\xff", "--encoding utf-16"),
        (b"k\xe9y", "--encoding cp1252"),
    ],
)
def test_what_is_not_utf_8_is_told_how_to_be_read(
    tmp_path: Path, start: bytes, advice: str
) -> None:
    assert advice in refusal(write(tmp_path / "x.csv", start))


def test_many_columns(tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(10_000)]
    path = write(tmp_path / "x.csv", ",".join(names) + "\n" + ",".join(names) + "\n")
    assert len(refusal(path)) < 300
    assert "and 9,980 more" in refusal(path)
    (record,) = prepared(path, ["c9999"])
    assert record.key == "c9999"
    assert list(json.loads(record.payload).values()) == sorted(names)


def test_names_that_no_record_has_room_for(tmp_path: Path) -> None:
    names = ["key", *("\x01" * 50 + str(number) for number in range(1_000))]
    message = refusal(write(tmp_path / "x.csv", ",".join(names) + "\n"))
    assert "x.csv, line 1: the names of the columns take" in message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "key\n1\n")
    source = inspect(path).source
    (slice_,) = slices(source, 1)
    elsewhere = replace(source, path=str(tmp_path / "gone.csv"))
    with pytest.raises(SourceError, match=r"gone\.csv: cannot be read"):
        read_slice(elsewhere, slice_)
    with pytest.raises(SourceError, match=r"gone\.csv: cannot be read"):
        next(slices(elsewhere, 1))


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("field.csv", "xé\n"),
        ("quotes.csv", '""'),
        ("lines.csv", "\r\n"),
        ("line.ndjson", "xé"),
        ("blank.ndjson", " "),
    ],
)
def test_memory_does_not_grow_with_the_file(tmp_path: Path, name: str, unit: str) -> None:
    start, end = ('a\n"', '"\n') if name.endswith(".csv") else ("", "\n")
    path = write(tmp_path / name, start + unit * (8_000_000 // len(unit)) + end)
    tracemalloc.start()
    try:
        source = inspect(path).source
        for slice_ in slices(source, 200):
            read_slice(source, slice_)
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()


def test_the_sample_is_sound() -> None:
    inspected = inspect(flights(), key_columns=FLIGHTS_KEY)
    records = prepared(flights(), FLIGHTS_KEY, 100)
    assert inspected.records == len(records) == 2_000
    assert not any(record.rejection for record in records)
    assert len({record.key for record in records}) == 2_000
