"""Requests in plain JSON: what is read, and what is refused with its place."""

import pytest

from batching_demo.batcher_service.direct.request import RequestError, read_json, read_request
from batching_demo.contracts.direct import MAX_REQUEST_BYTES, MAX_REQUEST_RECORDS

RECORD = {"key": "k", "payload": {"a": 1}}


def test_a_request_names_its_submission() -> None:
    by_call = read_request({"records": [RECORD]}, "call")
    by_id = read_request({"records": [RECORD], "request_id": "mine", "source": "app"}, "call")
    assert by_call.template.submission_id == f"call/{by_call.digest}"
    assert by_id.template.submission_id == f"mine/{by_call.digest}"
    assert (by_call.template.source, by_id.template.source) == ("direct", "app")
    assert (by_id.keys, by_id.payloads) == (["k"], ['{"a": 1}'])


def test_other_records_are_another_submission() -> None:
    other = {"records": [RECORD, RECORD | {"key": "l"}]}
    assert read_request(other, "call").digest != read_request({"records": [RECORD]}, "call").digest


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (None, "the request: an object is needed"),
        ([RECORD], "the request: an object is needed"),
        ({}, "records: a list with at least one"),
        ({"records": []}, "records: a list with at least one"),
        ({"records": [RECORD], "recrods": 1}, "there is no 'recrods', only records"),
        ({"records": [RECORD], "target": ""}, "target: a text of 1 to 512 bytes"),
        (
            {"records": [RECORD], "target": "invoices"},
            r"records\[0\].key: leave it out, the key of invoices is in the payload",
        ),
        ({"records": [RECORD], "request_id": 7}, "request_id: a text of 1 to 512 bytes"),
        ({"records": [RECORD], "source": "é" * 300}, "source: a text of 1 to 512 bytes"),
        ({"records": [RECORD], "source": "half \ud800"}, "source: a text of 1 to 512 bytes"),
        ({"records": [RECORD, "text"]}, r"records\[1\]: an object is needed"),
        ({"records": [{"payload": {}}]}, r"records\[0\].key: a text is needed"),
        ({"records": [RECORD | {"line": 0}]}, r"records\[0\].line: an integer from 1"),
        ({"records": [RECORD | {"rejection": "?"}]}, r"records\[0\].rejection: a code"),
        ({"records": [RECORD | {"rejection": []}]}, r"records\[0\].rejection: a text"),
        ({"x" * 1_000: 1}, "there is no 'x{100}', only records"),
        ({"records": [{"key": "k"}]}, r"records\[0\].payload: an object is needed"),
        ({"records": [RECORD] * (MAX_REQUEST_RECORDS + 1)}, "1001 are too many, 1000 are allowed"),
        (
            {"records": [{"key": "k", "payload": "é" * (MAX_REQUEST_BYTES // 2)}]},
            "1048577 bytes of keys and payloads are too many",
        ),
        (
            {"records": [{"key": "日" * (MAX_REQUEST_BYTES // 6 + 1), "payload": "{}"}]},
            "1048580 bytes of keys and payloads are too many",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(request_: object, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        read_request(request_, "call")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"records":', "the request: no JSON"),
        (b'{"records": "\xff"}', "the request: no JSON"),
        (b"[" * 100_000, "the request: it is nested too deep; send the payload as its JSON text"),
        (b"9" * 5_000, "the request: an integer has too many digits"),
        (b'{"records": [], "records": []}', "the request: an object has two members 'records'"),
        (b'{"payload": {"a": 1, "b": 2, "a": 1}}', "the request: an object has two members 'a'"),
    ],
)
def test_json_that_cannot_be_read_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        read_json(text)


def test_a_member_that_is_null_is_left_out() -> None:
    nulls = dict.fromkeys(("request_id", "source", "target"))
    record = RECORD | {"line": None, "rejection": None}
    assert read_request({"records": [record], **nulls}, "call") == read_request(
        {"records": [RECORD]}, "call"
    )
    own = {"target": "invoices", "records": [{"key": None, "payload": {"a": 1}}]}
    assert read_request(own, "call").keys == [""]
