"""Files whose records go to a table of the user's own."""

from dataclasses import replace
from pathlib import Path

import pytest

from batching_demo.comparison.results import batches_of
from batching_demo.contracts.targets import OnConflict, TargetDeclaration
from batching_demo.main_service.files.inspect import inspect
from batching_demo.main_service.files.read import read_slice
from batching_demo.main_service.files.slice import slices
from batching_demo.main_service.files.source_file import SourceError
from batching_demo.main_service.first_records import check_first_records
from batching_demo.main_service.messages import MainInput, MainResult, RunOptions
from batching_demo.main_service.needed_fields import check_fields
from batching_demo.main_service.preparation import prepare, prepare_slice
from batching_demo.main_service.run_options import run_id
from batching_demo.main_service.summary import SliceResult
from batching_demo.records.columns_key import label_of
from batching_demo.records.json_text import parse_object
from batching_demo.records.rejection import RejectionError

INVOICES = TargetDeclaration(
    "invoices",
    "billing.invoices",
    ("tenant", "no"),
    {"issued_at": "date", "note": None},
    OnConflict.NEWEST,
    "version",
)
OWN = RunOptions(["tenant", "no"], target="invoices")


def written(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("payload", "label"),
    [
        ('{"tenant": "t", "no": "a|b"}', "t|a|b"),
        ('{"tenant": 7, "no": 1.50}', "7|1.50"),
        ('{"tenant": true, "no": {"b": 1, "a": [null]}}', 'true|{"a":[null],"b":1}'),
        ('{"tenant": "t", "no": "%s"}' % ("x" * 600), "t|" + "x" * 126),
    ],
)
def test_a_key_of_any_type_has_a_label(payload: str, label: str) -> None:
    assert label_of(parse_object(payload), ["tenant", "no"]) == label


@pytest.mark.parametrize(
    ("payload", "code"),
    [("{}", "key_missing"), ('{"no": null}', "key_null"), ('{"no": " "}', "key_empty")],
)
def test_a_key_without_a_value_has_none(payload: str, code: str) -> None:
    with pytest.raises(RejectionError) as refused:
        label_of(parse_object(payload), ["no"])
    assert refused.value.code == code


def test_an_empty_field_of_csv_is_null_for_an_own_table_only(tmp_path: Path) -> None:
    source = inspect(written(tmp_path, "a.csv", 'tenant,no,note\nt,1,""\nt,,x\n')).source
    (one,) = slices(source, 2)
    raw = read_slice(source, one)
    first, second = prepare(source, one, raw, OWN)
    assert (first.key, first.payload) == ("t|1", '{"no":"1","note":null,"tenant":"t"}')
    assert second.rejection == "key_null: key column 'no' is null"
    plain, _ = prepare(source, one, raw, RunOptions(["no"]))
    assert plain.payload == '{"no":"1","note":"","tenant":"t"}'


def test_submissions_and_workflows_know_their_target(tmp_path: Path) -> None:
    source = inspect(written(tmp_path, "a.csv", "tenant,no\nt,1\n")).source
    (one,) = slices(source, 1)
    (made,) = prepare_slice(MainInput(source, one, OWN), "main-1", read_slice(source, one))
    assert made.header.target == "invoices"
    others = [replace(OWN, target=name) for name in ("records", "orders")]
    assert len({run_id(source, options) for options in (OWN, *others)}) == 3


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ("tenant,no,version,date", None),
        ("tenant,version,date", "no column 'no', which fills no of target invoices"),
        ("tenant,no,version", "no column 'date', which fills issued_at of target invoices"),
        ("tenant,no,date", "no column 'version', which fills version of target invoices"),
    ],
)
def test_a_header_has_what_the_declaration_names(
    tmp_path: Path, header: str, named: str | None
) -> None:
    inspected = inspect(written(tmp_path, "a.csv", f"{header}\n1,2,3,4\n"))
    if named is None:
        check_fields(inspected, INVOICES)
        return
    with pytest.raises(SourceError, match=named):
        check_fields(inspected, INVOICES)


def test_records_without_the_key_of_the_target_are_refused(tmp_path: Path) -> None:
    inspected = inspect(written(tmp_path, "a.ndjson", '{"tenant": "t", "number": 1}\n'))
    with pytest.raises(SourceError, match="no record has 'no', which the key of target invoices"):
        check_first_records(inspected, OWN.key_columns, allow_bad=False, target="invoices")


def test_a_share_of_a_file_skips_those_before_it(tmp_path: Path) -> None:
    source = inspect(written(tmp_path, "a.csv", "no\n1\n2\n3\n4\n5\n")).source
    found = list(slices(source, 2, limit=3, skip=1))
    assert [(one.position, one.records) for one in found] == [(1, 2), (3, 1)]
    texts = [
        record.payload
        for one in found
        for record in prepare(source, one, read_slice(source, one), RunOptions(["no"]))
    ]
    assert texts == ['{"no":"2"}', '{"no":"3"}', '{"no":"4"}']


def test_batches_are_known_from_results() -> None:
    a, b = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"
    results = [
        SliceResult("2", 3, MainResult(written=3, batch_ids=[b, a]), 2.0),
        SliceResult("1", 2, MainResult(written=2, batch_ids=[a]), 1.0),
    ]
    assert [(str(batch), rows) for batch, rows in batches_of(results).items()] == [(a, 4), (b, 1)]
    assert list(batches_of([SliceResult("1", 2, MainResult(), 1.0)]).values()) == [1, 1]
