"""An input whose first records are all bad is refused, before any of it is sent."""

import json
from pathlib import Path

import pytest

from batching_demo.main_service import first_records
from batching_demo.main_service.files.inspect import inspect
from batching_demo.main_service.files.source_file import SourceError
from batching_demo.main_service.first_records import check_first_records
from tests.support.preparing import write

GOOD, BAD, OTHER = '{"id": 1, "b": 2}', "{", '{"kid": 1, "b\\u00e9": 2}'


def refusal(path: Path, *keys: str, allow_bad: bool = False) -> str:
    """Return what refuses a file; empty if nothing does."""
    inspected = inspect(path)
    try:
        check_first_records(inspected, keys, allow_bad=allow_bad)
    except SourceError as error:
        return str(error)
    return ""


def lines(tmp_path: Path, *texts: str, name: str = "x.ndjson") -> Path:
    return write(tmp_path / name, "".join(f"{text}\n" for text in texts))


def test_a_key_that_no_record_has_is_refused_with_the_names_that_there_are(tmp_path: Path) -> None:
    path = lines(tmp_path, BAD, OTHER, '{"kid": 2, "c": 1}')
    assert refusal(path, "kid", "id") == (
        "x.ndjson: no record has 'id', which --key names; they have 'kid', 'bé', 'c'"
    )
    # Nobody can mean this, whatever else is allowed.
    assert refusal(path, "id", allow_bad=True)
    assert refusal(path, "kid") == ""


def test_a_thousand_records_without_the_key_are_refused(tmp_path: Path) -> None:
    path = lines(tmp_path, *[OTHER] * 1_000, GOOD)
    assert "none of the first 1,000 records has 'id', which --key names" in refusal(path, "id")
    assert refusal(path, "id", allow_bad=True) == ""


def test_a_thousand_bad_records_are_refused_with_their_reasons(tmp_path: Path) -> None:
    path = lines(tmp_path, "", *['"x"', "{"] * 500, GOOD)
    message = refusal(path, "id")
    assert (
        "first 1,000 records are all bad, 500 not_an_object, 500 invalid_json (line 2:" in message
    )
    assert "--allow-bad-records" in message
    assert refusal(path, "id", allow_bad=True) == ""
    rows = ["a,b", *["1,2,3"] * 1_000]
    assert "1,000 field_count (line 2: field_count: 3 fields" in refusal(
        lines(tmp_path, *rows, name="x.csv")
    )


@pytest.mark.parametrize("texts", [[BAD] * 999, [BAD] * 999 + [GOOD], [BAD, GOOD, OTHER], []])
def test_others_are_loaded(tmp_path: Path, texts: list[str]) -> None:
    assert refusal(lines(tmp_path, *texts), "id") == ""


def test_a_null_key_is_there(tmp_path: Path) -> None:
    assert refusal(lines(tmp_path, '{"id": null}'), "id") == ""


def test_no_more_is_read_than_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[object] = []

    def count(source: object, slice_: object) -> bytes:
        read.append(slice_)
        return json.dumps({"id": 1}).encode()

    monkeypatch.setattr(first_records, "read_slice", count)
    assert refusal(lines(tmp_path, *[GOOD] * 500), "id") == ""
    assert len(read) == 1
