"""What is found out about a file before anything of it is submitted, and what refuses it."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from batching_demo.contracts.limits import MAX_RECORD_BYTES
from batching_demo.main_service.files.inspect import inspect
from batching_demo.main_service.files.read import read_slice
from batching_demo.main_service.files.slice import slices
from batching_demo.main_service.files.source_file import SourceError
from batching_demo.main_service.samples import FLIGHTS_KEY, flights
from tests.support.preparing import prepared, write


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
        ("x.ndjson", '{\n "key": 1\n}\n{\n "key": 2\n}\n', "line 1: an object takes several lines"),
        ("x.ndjson", '\n{"key": 1,\n "b": 2}', "line 2: an object takes several lines"),
        ("x.ndjson", '{\n "key": 1,\n', "convert it: jq -c . x.ndjson > lines.ndjson"),
        ("x y.jsonl", '{"key": 1} {"key": 2}\n', "several objects share the line"),
        ("x y.jsonl", '{"key": 1}{"key": 2}{"key": 3}', "jq -c . 'x y.jsonl' > lines.ndjson"),
        ("x.ndjson", '{"key": 1}\n{"key": 2}{"key": 3}', None),
        ("x.ndjson", '{"key": 1}, {"key": 2}', None),
        ("x.ndjson", '{"key": 1\n{"key": 2}\n', None),
        ("x.ndjson", '{"key": NaN}\n{"key": 2}\n', None),
        ("x.csv", "sep=;\nkey;b\n1;2\n", "line 1: this is no header but sep=';'"),
        ("x.csv", b"\xef\xbb\xbfsep=\t\r\nkey\tb\r\n", "add --delimiter '\\t'"),
        ("x.csv", b"\xef\xbb\xbf\xef\xbb\xbfkey\n1\n", "a second byte-order mark"),
        ("x.csv", "key;b\n1;2\n", "with --delimiter ';' the header and all"),
        ("x.csv", "key\tb, or c\n1\t2\n", "with --delimiter '\\t' the header"),
        ("x.csv", "Orders\n\nkey,b\n1,2\n", "names 1 column, line 3 has 2: if line 3 is"),
        ("x.csv", "Orders,,\nkey,b,c\n1,2,3\n", "has no name; give it one; the first line names"),
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


@pytest.mark.parametrize("indent", [None, 2])
def test_objects_too_long_to_be_seen_whole(tmp_path: Path, indent: int | None) -> None:
    long = json.dumps({"key": 1, "text": "x" * 100_000}, indent=indent)
    assert "jq -c ." in refusal(write(tmp_path / "x.ndjson", long * 3 + "\n"))
    longer = json.dumps({"key": 1, "text": "x" * 2_000_000}, indent=2)
    assert "jq -c ." in refusal(write(tmp_path / "y.ndjson", longer * 2))


@pytest.mark.parametrize(
    "content",
    [
        "key,b\n1,2\n",
        "key\n1;2\n",
        "key\n1\n",
        "key,b\n1,2\n1,2,3\n1,2,3\n1,2,3\n",
        "key,b;c\n1,2;3\n",
        "key",
        "",
        "key,b\n" + "1,2\n" * 30_000,
    ],
)
def test_a_header_that_fits_gets_no_hint(tmp_path: Path, content: str) -> None:
    assert inspect(write(tmp_path / "x.csv", content)).hint == ""


def test_a_header_that_does_not_fit_gets_a_hint(tmp_path: Path) -> None:
    """Without a key nothing refuses the file."""
    inspected = inspect(write(tmp_path / "x.csv", "key|b\n1|2\n"))
    assert inspected.hint == "with --delimiter '|' the header and all lines below it have 2 fields"


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
        monkeypatch.setattr("batching_demo.main_service.files.source_file.CHUNK_BYTES", size)
        assert refusal(path) == expected
    assert "line 5" in expected


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


def test_the_sample_is_sound() -> None:
    inspected = inspect(flights(), key_columns=FLIGHTS_KEY)
    records = prepared(flights(), FLIGHTS_KEY, 100)
    assert inspected.records == len(records) == 2_000
    assert not any(record.rejection for record in records)
    assert len({record.key for record in records}) == 2_000
