import json

import pytest

from batching_demo.batcher_service.queues.intake import Intake
from batching_demo.batcher_service.queues.source import Message
from batching_demo.contracts.encoding import PreparedRecord, decode_records, encode_records
from batching_demo.records.json_text import canonical, content_hash, parse_object

QUEUE = "0/orders"


def prepared(body: bytes, *, problem: str = "", **options: object) -> tuple[str, str, str, bytes]:
    """Return key, payload, rejection and hash of the record of a message."""
    message = Message(QUEUE, "5-0", body, problem=problem)
    intake = Intake(**options)  # type: ignore[arg-type]  # a test passes what fits
    rows = intake.gather(intake.submissions_of(message, 0.0)).rows
    (row,) = zip(
        rows.values["idempotency_key"],
        rows.values["payload"],
        rows.rejections,
        rows.values["content_hash"],
        strict=True,
    )
    return row


def test_the_key_is_the_identity_of_the_message() -> None:
    key, payload, rejection, _ = prepared(b' {"a": 1}\n')
    assert (key, payload, rejection) == ("0/orders/5-0", '{"a": 1}', "")


def test_the_key_is_a_member_of_the_object() -> None:
    assert prepared(b'{"id": 7, "a": "b"}', key_columns=["id"])[0] == "7"
    assert prepared(b'{"id": 7, "a": "b"}', key_columns=["a", "id"])[0] == "b|7"


@pytest.mark.parametrize("body", ['{"a":1,"b":[]}', '{"b":[],"a":1}'])
def test_the_hash_is_that_of_a_record_that_was_encoded(body: str) -> None:
    record = PreparedRecord("k", 0, body, content_hash(body, canonical(parse_object(body))))
    encoded = decode_records(encode_records([record]))
    assert prepared(body.encode())[3] == encoded.hashes[0]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b"[1]", "not_an_object"),
        (b'{"a": "\xff"}', "invalid_json: not UTF-8 at column 8"),
        (b'{"a": "\\u0000"}', "nul"),
        (b'{"a": "' + b"x" * 262_144 + b'"}', "too_large"),
    ],
)
def test_what_is_no_object_is_rejected_under_the_identity_of_the_message(
    body: bytes, reason: str
) -> None:
    key, _, rejection, _ = prepared(body)
    assert key == "0/orders/5-0"
    assert rejection.startswith(reason)


@pytest.mark.parametrize("body", [b"{", b'{"a": 1}', b'{"id": null}', b'{"id": []}'])
def test_without_the_member_that_is_the_key_there_is_no_key(body: bytes) -> None:
    key, _, rejection, _ = prepared(body, key_columns=["id"])
    assert key == ""
    assert rejection


def test_a_message_with_a_problem_is_not_parsed() -> None:
    key, payload, rejection, _ = prepared(b"{", problem="delivered_too_often: it was")
    assert (key, payload, rejection) == ("0/orders/5-0", "{", "delivered_too_often: it was")


def test_a_message_is_one_record_of_a_submission_that_is_named_after_it() -> None:
    body = json.dumps({"a": 1}).encode()
    (submission,) = Intake().submissions_of(Message(QUEUE, "5-0", body), 12.5)
    header = submission.header
    assert (header.submission_id, header.source, header.records) == ("0/orders/5-0", QUEUE, 1)
    assert (header.requester, submission.records, submission.received_at) == ("", body, 12.5)
