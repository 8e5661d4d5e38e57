"""What a requester makes of the records of one call: texts, and a name that they decide."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pytest

from batching_demo.contracts.messages import SubmissionHeader
from batching_demo.requester.records import Record, RecordError, RecordTexts, record_texts

TEMPLATE = SubmissionHeader("workflow/write-1", "workflow", 0, 0)


def texts(*records: Record, max_records: int = 100) -> RecordTexts:
    return record_texts(records, TEMPLATE, max_records)


def name(*records: Record, max_records: int = 100) -> str:
    return texts(*records, max_records=max_records).template.submission_id


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


@pytest.mark.parametrize("key", [5, None, b"k"])
def test_a_key_that_is_no_text_is_named_with_what_to_do(key: Any) -> None:
    with pytest.raises(RecordError, match=rf"records\[1\]: the key {key!r} is .*str\(\)"):
        texts(Record("k", {}), Record(key, {}))


@pytest.mark.parametrize(
    "value", [{1}, b"", object(), 10**5000, Endless()], ids=["set", "bytes", "any", "long", "deep"]
)
def test_a_payload_that_is_no_json_is_named_with_what_to_do(value: Any) -> None:
    with pytest.raises(RecordError, match=r"records\[1\], key 'b': the payload is no JSON .*first"):
        texts(Record("a", {}), Record("b", {"value": value}))
