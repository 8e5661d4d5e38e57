import csv
import io
import json
import string
import tempfile
from functools import cache
from hashlib import sha256
from itertools import pairwise, product
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batching_demo.contracts.encoding import (
    PreparedRecord,
    decode_records,
    encode_records,
    encoded_size,
)
from batching_demo.contracts.limits import MAX_RECORD_BYTES, MAX_SUBMISSION_BYTES
from batching_demo.contracts.messages import SubmissionHeader
from batching_demo.contracts.names import shard_for
from batching_demo.main_service.files.inspect import inspect
from batching_demo.main_service.files.read import read_slice
from batching_demo.main_service.files.slice import slices
from batching_demo.main_service.files.source_file import SourceError
from batching_demo.main_service.messages import MainInput, RunOptions
from batching_demo.main_service.preparation import prepare, prepare_slice
from batching_demo.records.columns_key import key_of
from batching_demo.records.json_text import canonical, parse_object
from batching_demo.requester.submissions import cut
from tests.support.preparing import code, prepared, stored_hash

any_text = st.text(st.characters(codec="utf-8"), max_size=20)
csv_like = st.text(st.sampled_from('a"\r\né, \0\\'), max_size=10)
small_numbers = st.integers(1, 9)


def prepared_text(
    name: str, text: str, key_columns: list[str], records_per_workflow: int = 3, chunk: int = 7
) -> list[PreparedRecord]:
    """Prepare a file that is read in the smallest pieces, so that every edge is met."""
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setattr("batching_demo.main_service.files.source_file.CHUNK_BYTES", chunk)
        path = Path(directory) / name
        path.write_bytes(text.encode())
        return prepared(path, key_columns, records_per_workflow)


def prepared_line(line: str, *key_columns: str) -> PreparedRecord:
    (record,) = prepared_text("x.ndjson", line, list(key_columns), chunk=65_536)
    return record


@given(
    st.lists(st.lists(any_text | csv_like, min_size=2, max_size=2), max_size=12),
    st.sampled_from(["\n", "\r\n", "\r"]),
    small_numbers,
    small_numbers,
)
def test_every_text_of_a_csv_survives(
    rows: list[list[str]], line_end: str, chunk: int, records_per_workflow: int
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerows([["a", "b"], *rows])
    records = prepared_text("x.csv", text.getvalue(), [], records_per_workflow, chunk)
    for row, record in zip(rows, records, strict=True):
        if "\0" in "".join(row):
            assert code(record) == "nul"
        else:
            assert json.loads(record.payload) == {"a": row[0], "b": row[1]}
            assert record.content_hash == b"", "what the payload tells is not sent"
            assert stored_hash(record) == sha256(record.payload.encode()).digest()


@given(
    st.text(st.sampled_from('a"\r\né,'), max_size=40),
    st.sampled_from(["\n", "\r\n", "\r"]),
    small_numbers,
    small_numbers,
)
def test_any_csv_is_read_as_the_csv_module_reads_it(
    body: str, line_end: str, chunk: int, records_per_workflow: int
) -> None:
    text = f"x,y{line_end}{body}"
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    expected, line = [], 1
    try:
        for row in reader:
            expected += [(line, row)] if row else []
            line = reader.line_num + 1
    except csv.Error:
        with pytest.raises(SourceError):
            prepared_text("x.csv", text, [], records_per_workflow, chunk)
        return
    records = prepared_text("x.csv", text, [], records_per_workflow, chunk)
    assert [record.line for record in records] == [line for line, _ in expected[1:]]
    for (_, row), record in zip(expected[1:], records, strict=True):
        if len(row) == 2:
            assert json.loads(record.payload) == dict(zip("xy", row, strict=True))
        else:
            assert code(record) == "field_count"
            assert not record.payload.endswith(("\r", "\n"))
            assert next(csv.reader(io.StringIO(record.payload, newline=""))) == row


@given(st.lists(any_text | st.sampled_from(["{}", '{"a": 1}', "[", " "]), max_size=12))
def test_every_line_that_is_not_blank_is_a_record(lines: list[str]) -> None:
    text = '{"first": 1}\n' + "\n".join(lines)
    expected = [number for number, line in enumerate(text.split("\n"), 1) if line.strip(" \t\r")]
    records = prepared_text("x.ndjson", text, [])
    assert [record.line for record in records] == expected
    for record in records:
        line = text.split("\n")[record.line - 1]
        assert record.payload == line.strip(" \t\r")
        if not record.rejection:
            value = canonical(parse_object(line))
            assert stored_hash(record) == sha256(value.encode()).digest()


@given(st.dictionaries(any_text, any_text | st.integers() | st.booleans()), st.booleans())
def test_the_payload_of_ndjson_is_its_own_text(
    value: dict[str, object], ensure_ascii: bool
) -> None:
    line = json.dumps(value, ensure_ascii=ensure_ascii)
    record = prepared_line(f" \t{line} \r\n")
    assert record.payload == line
    assert (code(record) == "nul") is ("\0" in "".join(map(str, [*value, *value.values()])))


def test_spellings_of_one_value_hash_alike() -> None:
    lines = ['{"a": "\\u00e9", "b": 1}', '{"b":1,"a":"é"}', '{"b": 1, "a": "\\u00E9"}']
    assert len({stored_hash(prepared_line(line)) for line in lines}) == 1
    assert stored_hash(prepared_line(lines[0])) == sha256('{"a":"é","b":1}'.encode()).digest()


def test_other_values_hash_otherwise() -> None:
    lines = ['{"a": 1}', '{"a": 1.0}', '{"a": 1.00}', '{"a": "1"}', '{"a": [1]}', '{"A": 1}']
    lines += ['{"a": "é"}', '{"a": "e\u0301"}', '{"a": null}', '{"a": ""}']
    assert len({stored_hash(prepared_line(line)) for line in lines}) == len(lines)


def test_separators_of_text_end_no_line() -> None:
    record = prepared_line('{"a": "x\u2028y\u2029z\u0085\x7f"}')
    assert json.loads(record.payload) == {"a": "x\u2028y\u2029z\u0085\x7f"}


def test_payload_of_csv_has_every_column_as_text() -> None:
    (record,) = prepared_text("x.csv", 'key , b\n007,"1,""2"\n', ["key"])
    assert json.loads(record.payload) == {"key": "007", "b": '1,"2'}
    assert record.key == "007"


def test_fields_may_be_as_long_as_records(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a\n" + "x" * 250_000 + "\n")
    (record,) = prepared(path)
    assert json.loads(record.payload) == {"a": "x" * 250_000}


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('{"key": "a"}', "a"),
        ('{"key": " a|\\\\ "}', " a|\\ "),
        ('{"key": 12}', "12"),
        ('{"key": -12}', "-12"),
        ('{"key": 1234567890123456789012}', "1234567890123456789012"),
        ('{"key": "' + "é" * 256 + '"}', "é" * 256),
    ],
)
def test_keys(line: str, key: str) -> None:
    assert prepared_line(line, "key").key == key


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"kay": 1}', "key_missing: no key column 'key'"),
        ('{"key": null}', "key_null: key column 'key' is null"),
        ('{"key": ""}', "key_empty: key column 'key' is empty or blank"),
        ('{"key": " \\t\\u00a0"}', "key_empty: key column 'key' is empty or blank"),
        ('{"key": 1.0}', "key_type: key column 'key' is neither text nor an integer"),
        ('{"key": true}', "key_type: key column 'key' is neither text nor an integer"),
        ('{"key": ["a"]}', "key_type: key column 'key' is neither text nor an integer"),
        ('{"key": "' + "é" * 257 + '"}', "key_too_long: the key has 514 bytes, at most 512"),
        ('{"key": ' + "1" * 513 + "}", "key_too_long: the key has 513 bytes, at most 512"),
    ],
)
def test_bad_keys(line: str, expected: str) -> None:
    record = prepared_line(line, "key")
    assert (record.rejection, record.payload) == (expected, line)
    assert (record.key, record.content_hash) == ("", b"")


def test_no_two_lists_of_texts_have_one_key() -> None:
    texts = ["".join(text) for size in (1, 2, 3) for text in product("a|\\", repeat=size)]
    pairs = [dict(zip("xy", pair, strict=True)) for pair in product(texts, repeat=2)]
    assert len({key_of(pair, ["x", "y"]) for pair in pairs}) == len(pairs)


def test_a_key_of_several_columns() -> None:
    assert prepared_line('{"a": "x|y", "b": 2, "c": "\\\\"}', "b", "a", "c").key == r"2|x\|y|\\"


def test_long_names_are_cut_in_messages() -> None:
    name = "n" * 100_000
    blank, nul = prepared_text("x.csv", f"key,{name}\na, \nb,\0\n", [name], chunk=65_536)
    assert (code(blank), code(nul)) == ("key_empty", "nul")
    assert len(blank.rejection) < 200
    assert len(nul.rejection) < 200
    assert decode_records(encode_records([blank, nul])).lines == [2, 3]


def test_every_key_column_must_have_a_value() -> None:
    (record,) = prepared_text("x.csv", "a,b\n1,\n", ["a", "b"])
    assert record.rejection == "key_empty: key column 'b' is empty or blank"


def test_without_key_columns_the_place_is_the_key() -> None:
    one, other = prepared_text("x.csv", "a\nsame\nsame\n", [])
    digest = sha256(b"a\nsame\nsame\n").hexdigest()
    assert (one.key, other.key) == (f"{digest}:2", f"{digest}:3")


def test_the_prefix_does_not_count_against_the_longest_key(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("key\n" + "k" * 512 + "\n")
    source = inspect(path).source
    (slice_,) = slices(source, 1)
    options = RunOptions(["key"], key_prefix="run:")
    (record,) = prepare(source, slice_, read_slice(source, slice_), options)
    assert record.key == "run:" + "k" * 512


def test_a_record_that_grows_over_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("key,b\n1," + "\x01" * (MAX_RECORD_BYTES // 4) + "\n2,\n")
    record, after = prepared(path, ["key"])
    assert (record.key, code(record)) == ("1", "too_large")
    assert str(MAX_RECORD_BYTES) in record.rejection
    assert record.payload == "1," + "\x01" * 4094
    assert not after.rejection


def test_a_rejected_record_is_cut_too() -> None:
    record = prepared_line("x" * MAX_RECORD_BYTES)
    assert code(record) == "too_large"
    assert record.payload == "x" * 4096


TEMPLATE = SubmissionHeader("main-1", "main-1", 0, 0, "input.csv")


@cache
def record_of(size: int, number: int = 0) -> PreparedRecord:
    empty = PreparedRecord(f"{number:06}", number, "", b"h" * 32)
    noise = Random(number).choices(string.printable, k=size - encoded_size(empty))
    return PreparedRecord(f"{number:06}", number, "".join(noise), b"h" * 32)


# Few examples, for each deflates megabytes.
@settings(max_examples=40)
@given(
    st.lists(st.sampled_from([100, 1_000, 20_000, 60_000, 200_000]), max_size=25),
    st.integers(1, 20),
    st.integers(1, 3),
)
def test_submissions(sizes: list[int], max_records: int, shards: int) -> None:
    records = [record_of(size, number) for number, size in enumerate(sizes)]
    by_shard: dict[int, list[PreparedRecord]] = {}
    for record in records:
        by_shard.setdefault(shard_for(record.key, shards), []).append(record)
    submissions = cut(by_shard, TEMPLATE, max_records)
    assert cut(by_shard, TEMPLATE, max_records) == submissions
    ids = [submission.header.submission_id for submission in submissions]
    assert ids == [f"main-1/{index}" for index in range(len(submissions))]
    lines: dict[int, list[int]] = {}
    for submission in submissions:
        header, columns = submission.header, decode_records(submission.records)
        assert header.records == len(columns.keys) <= max_records
        assert header.length == len(submission.records)
        assert header.length <= MAX_SUBMISSION_BYTES or header.records == 1
        assert {shard_for(key, shards) for key in columns.keys} == {header.shard}
        lines.setdefault(header.shard, []).extend(columns.lines)
    assert sorted(line for shard in lines.values() for line in shard) == list(range(len(sizes)))
    assert all(first < second for shard in lines.values() for first, second in pairwise(shard))


@pytest.mark.parametrize(
    ("count", "size", "expected"),
    [
        (0, 100, []),
        (100, 100, [100]),
        (101, 100, [50, 51]),
        (250, 100, [83, 83, 84]),
        (100, 2_000, [50, 50]),
        (3, 60_000, [1, 2]),
        (2, 200_000, [1, 1]),
    ],
)
def test_submissions_are_equal(count: int, size: int, expected: list[int]) -> None:
    by_shard: dict[int, list[PreparedRecord]] = {}
    for number in range(count):
        by_shard.setdefault(0, []).append(record_of(size, number))
    submissions = cut(by_shard, TEMPLATE, 100)
    assert [submission.header.records for submission in submissions] == expected


def test_records_that_deflate_well_are_cut_by_what_they_inflate_to() -> None:
    payload = json.dumps({"text": "x" * 200_000})
    alike = [PreparedRecord(f"{number}", number, payload) for number in range(12)]
    submissions = cut({0: alike}, TEMPLATE, 100)
    columns = [decode_records(submission.records) for submission in submissions]
    assert [len(one.keys) for one in columns] == [4, 4, 4]
    assert {text for one in columns for text in one.payloads} == {payload}


def test_headers_say_whose_records_they_are(tmp_path: Path) -> None:
    path = tmp_path / "input.csv"
    path.write_text("key\n1\n2\n")
    source = inspect(path).source
    (slice_,) = slices(source, 2)
    main_input = MainInput(source, slice_, RunOptions(["key"], run_label="again"))
    (submission,) = prepare_slice(main_input, "main-1", read_slice(source, slice_))
    header = submission.header
    assert (header.requester, header.source, header.run_label) == ("main-1", "input.csv", "again")
    assert (header.submission_id, header.records) == ("main-1/0", 2)
    assert decode_records(submission.records).keys == ["1", "2"]
