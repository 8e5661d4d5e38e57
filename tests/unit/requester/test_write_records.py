"""What a requester makes of the records of one call: texts, and a name that they decide."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pytest

from batching_demo.contracts.batches import RETURNED_TOO_LARGE
from batching_demo.contracts.encoding import decode_records
from batching_demo.contracts.messages import SubmissionHeader, Verdict, Verdicts
from batching_demo.requester.record_texts import (
    RecordError,
    RecordTexts,
    prepare_submissions,
    record_texts,
)
from batching_demo.requester.records import Record, results_of

TEMPLATE = SubmissionHeader("workflow/write-1", "workflow", 0, 0)


def texts(*records: Record, max_records: int = 100) -> RecordTexts:
    return record_texts(records, TEMPLATE, max_records)


def name(*records: Record, max_records: int = 100) -> str:
    return texts(*records, max_records=max_records).template.submission_id


def test_a_line_and_a_known_rejection_go_with_their_record() -> None:
    good, bad = Record("a", {}, line=7), Record("", "1;2", 9, "field_count: 2 fields")
    (one,) = prepare_submissions(texts(good, bad))
    columns = decode_records(one.records)
    assert (columns.lines, columns.payloads) == ([7, 9], ["{}", "1;2"])
    assert columns.rejections == ["", "field_count: 2 fields"]
    assert name(good) == name(Record("a", {}))
    assert name(bad) != name(Record("", "1;2"))


def test_a_key_that_cannot_be_kept_is_not_kept_with_a_known_rejection() -> None:
    record = Record("a NUL \0", "1;2", rejection="field_count: 2 fields")
    columns = decode_records(prepare_submissions(texts(record))[0].records)
    assert (columns.keys, columns.rejections) == ([""], ["field_count: 2 fields"])


@pytest.mark.parametrize("line", [0, 1.0, True, "7", 2**63])
def test_a_line_that_is_none_is_named(line: Any) -> None:
    with pytest.raises(RecordError, match=r"records\[1\].line: an integer from 1"):
        texts(Record("a", {}, 1), Record("b", {}, line))


@pytest.mark.parametrize("rejection", [7, "no detail", "Code: x", "nul: a\0b", "x: " + "y" * 1001])
def test_a_rejection_that_is_none_is_named(rejection: Any) -> None:
    with pytest.raises(RecordError, match=r"records\[0\].rejection: a code in small letters"):
        texts(Record("a", {}, rejection=rejection))


@pytest.mark.parametrize("value", ["1" + "0" * 5_000, "[" * 100_000 + "]" * 100_000])
def test_returned_columns_that_python_cannot_read_cost_no_other_record(value: str) -> None:
    answer = Verdicts("s", "ww", "batch", returned=[f'{{"id": {value}}}', '{"id": 7}'])
    bad, good = results_of(["a", "b"], [answer])
    assert (bad.verdict, bad.returned, good.returned) == (Verdict.WRITTEN, {}, {"id": 7})
    assert bad.problem
    assert (bad.problem.reason, good.problem) == (RETURNED_TOO_LARGE, None)


class Endless(Mapping[str, Any]):
    """Holds another one, as deep as anybody looks."""

    def __getitem__(self, name: str) -> Any:
        return Endless()

    def __iter__(self) -> Iterator[str]:
        return iter("a")

    def __len__(self) -> int:
        return 1


def test_the_same_records_have_the_same_name_and_others_another() -> None:
    first = name(Record("a", {"n": 1}))
    assert first.startswith("workflow/write-1/")
    assert name(Record("a", {"n": 1})) == first
    others = (Record("b", {"n": 1}), Record("a", {"n": 2}))
    assert first not in [name(other) for other in others]


def test_records_that_are_cut_otherwise_have_another_name() -> None:
    """Answers to submissions of an earlier cut would never fit."""
    assert name(Record("a", {}), max_records=5) != name(Record("a", {}), max_records=10)


@pytest.mark.parametrize(
    "payload", [{"a": {"b": [1]}}, MappingProxyType({"a": MappingProxyType({"b": [1]})})]
)
def test_any_mapping_is_an_object(payload: Mapping[str, Any]) -> None:
    assert texts(Record("k", payload)).payloads == ['{"a": {"b": [1]}}']


def test_a_record_without_a_key_is_named() -> None:
    with pytest.raises(RecordError, match=r"records\[1\]: it has no key, which the target records"):
        texts(Record("k", {}), Record(payload={}))


@pytest.mark.parametrize("key", [5, b"k"])
def test_a_key_that_is_no_text_is_named_with_what_to_do(key: Any) -> None:
    with pytest.raises(RecordError, match=rf"records\[1\]: the key {key!r} is .*str\(\)"):
        texts(Record("k", {}), Record(key, {}))


@pytest.mark.parametrize(
    "value", [{1}, b"", object(), 10**5000, Endless()], ids=["set", "bytes", "any", "long", "deep"]
)
def test_a_payload_that_is_no_json_is_named_with_what_to_do(value: Any) -> None:
    with pytest.raises(RecordError, match=r"records\[1\], key 'b': the payload is no JSON .*first"):
        texts(Record("a", {}), Record("b", {"value": value}))
