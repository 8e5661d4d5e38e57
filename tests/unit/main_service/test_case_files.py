"""The case files, up to what preparation makes of them."""

from pathlib import Path

import pytest

from batching_demo.contracts.limits import MAX_RECORD_BYTES
from batching_demo.main_service.files.inspect import inspect
from batching_demo.main_service.files.source_file import SourceError
from tests.support.preparing import CASES, code, prepared, stored_hash


@pytest.mark.parametrize(
    ("name", "stored", "rejected"),
    [
        (
            "A04_bad_shapes.ndjson",
            [1, 7, 8, 9, 11, 14],
            {
                2: "not_an_object",
                3: "not_an_object",
                4: "not_an_object",
                5: "not_an_object",
                6: "key_missing",
                10: "key_null",
                12: "key_empty",
                13: "key_empty",
            },
        ),
        (
            "B01_nul_in_payload.ndjson",
            [line for line in range(1, 21) if line not in (7, 14, 16)],
            {7: "nul", 14: "nul", 16: "nul"},
        ),
        (
            "B02_nan_infinity.ndjson",
            [1, 2, 4, 6, 8, 10],
            dict.fromkeys([3, 5, 7, 9], "not_finite"),
        ),
        ("B05_duplicate_keys.csv", list(range(2, 12)), {}),
        ("C01_bom.csv", [2, 3], {}),
        ("C01_bom_quoted_header.csv", [2], {}),
        ("C01_bom.ndjson", [1, 2], {}),
        (
            "C03_ragged.csv",
            [2, 9],
            {
                3: "field_count",
                4: "field_count",
                5: "field_count",
                7: "key_empty",
                8: "field_count",
            },
        ),
        ("C08_null_vs_empty.csv", list(range(2, 9)), {9: "key_empty", 10: "key_empty"}),
        (
            "C11_bad_lines.ndjson",
            [1, 3, 9],
            {**dict.fromkeys([2, 4, 5, 6, 7], "invalid_json"), 8: "not_an_object"},
        ),
        ("C11_blank_lines.ndjson", [2, 6, 8], {}),
        ("C11_no_trailing_newline.ndjson", [1, 2], {}),
        ("C11_truncated_tail.ndjson", [1, 2], {3: "invalid_json"}),
        ("C13_empty.csv", [], {}),
        ("C13_empty.ndjson", [], {}),
        ("C13_header_only.csv", [], {}),
        ("C13_header_only_no_newline.csv", [], {}),
        (
            "E01_three_poison_in_100.ndjson",
            list(range(2, 100)),
            {1: "nul", 100: "not_finite"},
        ),
        ("E01_all_poison.ndjson", [], dict.fromkeys(range(1, 11), "nul")),
    ],
)
@pytest.mark.parametrize("records_per_workflow", [1, 3, 1000])
def test_lines_stored_and_rejected(
    name: str, stored: list[int], rejected: dict[int, str], records_per_workflow: int
) -> None:
    records = prepared(CASES / name, ["key"], records_per_workflow)
    assert [record.line for record in records] == sorted([*stored, *rejected])
    assert {record.line: code(record) for record in records if record.rejection} == rejected
    assert inspect(CASES / name).records == len(records)


@pytest.mark.parametrize(
    ("name", "line", "cause"),
    [
        ("C05_unclosed_quote.csv", 3, "a quote opened here is never closed"),
        ("C05_stray_quote_inside.csv", 4, "text follows a closing quote"),
        ("C07_latin1.csv", 3, "byte 0xE9 is not UTF-8"),
        ("C07_cp1252_late_row900.csv", 901, "byte 0xE9 is not UTF-8"),
        ("C11_json_array_not_ndjson.ndjson", 1, "one JSON array"),
    ],
)
def test_refused_files(name: str, line: int, cause: str) -> None:
    with pytest.raises(SourceError) as refusal:
        inspect(CASES / name, key_columns=["key"])
    assert str(refusal.value).startswith(f"{name}, line {line}: ")
    assert cause in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_number_as_key_becomes_text() -> None:
    assert prepared(CASES / "A04_bad_shapes.ndjson", ["key"])[10].key == "9"


def test_keys_are_exact() -> None:
    records = prepared(CASES / "B05_duplicate_keys.csv", ["key"])
    by_content = {(record.key, stored_hash(record)) for record in records}
    assert len({record.key for record in records}) == 7
    assert len(by_content) == 8


def test_text_of_csv_is_kept_as_it_stands() -> None:
    payloads = [record.payload for record in prepared(CASES / "C08_null_vs_empty.csv", ["key"])]
    notes = ['""', '""', '"NULL"', r'"\\N"', '"N/A"', '""', '"nan"']
    for payload, note in zip(payloads[:7], notes, strict=True):
        assert f'"note":{note}' in payload


def test_byte_order_mark_is_no_part_of_the_first_name() -> None:
    for name in ("C01_bom.csv", "C01_bom_quoted_header.csv"):
        assert inspect(CASES / name).source.columns[0] == "key"


@pytest.mark.parametrize("size", [1_900_000, 2_200_000])
def test_record_over_the_limit(tmp_path: Path, size: int) -> None:
    path = tmp_path / "one.ndjson"
    line = '{"key": "big", "blob": "' + "x" * size + '"}'
    path.write_text(line + "\n")
    (record,) = prepared(path, ["key"])
    assert code(record) == "too_large"
    assert str(len(line)) in record.rejection
    assert str(MAX_RECORD_BYTES) in record.rejection
    assert "truncated" in record.rejection
    assert record.payload == line[:4096]
