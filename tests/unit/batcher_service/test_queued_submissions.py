"""What a batcher worker reads in the entries of a stream of submissions."""

from dataclasses import replace

import pytest

from batching_demo.batcher_service.queues.source import Message
from batching_demo.batcher_service.queues.submissions import submissions_of
from batching_demo.contracts.encoding import decode_records, frame, pack
from batching_demo.contracts.errors import UserError
from batching_demo.queue_servers.submission_streams import QueueUrlError, stream_address
from batching_demo.requester.queued.sender import QueueSender
from batching_demo.requester.submissions import Message as SubmissionMessage
from tests.support.records import record, submission

SENT = [submission(f"s{number}", [record(f"k{number}")], "requester") for number in range(3)]


def message(body: bytes, problem: str = "") -> Message:
    return Message("0/batching-demo/default/0", "1-0", body, problem=problem)


def test_an_entry_has_the_submissions_that_were_packed() -> None:
    found = submissions_of(message(pack(SENT)), 7.0)
    assert list(found) == [replace(one, received_at=7.0) for one in SENT]


@pytest.mark.parametrize(
    "body", [b"", b"text", b"[]\n", b'{"a": 1}\n', pack(SENT)[:-1], pack(SENT) + b"more"]
)
def test_what_is_no_submission_is_refused_under_ids_that_stay_the_same(body: bytes) -> None:
    first, again = submissions_of(message(body), 1.0), submissions_of(message(body), 1.0)
    assert first == again
    assert all(one.header.malformed for one in first)
    assert {one.header.source for one in first} == {"0/batching-demo/default/0"}


def test_a_requester_that_can_be_made_out_is_answered() -> None:
    (found,) = submissions_of(message(frame([{"submission_id": "s", "requester": "r"}], b"")), 1.0)
    assert (found.header.submission_id, found.header.requester) == ("s", "r")


def test_the_records_of_an_entry_with_a_problem_are_rejected_for_it() -> None:
    found = submissions_of(message(pack(SENT), "delivered_too_often: five times"), 7.0)
    assert [one.header.submission_id for one in found] == ["s0", "s1", "s2"]
    for sent, one in zip(SENT, found, strict=True):
        columns, before = decode_records(one.records), decode_records(sent.records)
        assert (columns.keys, columns.payloads) == (before.keys, before.payloads)
        assert columns.rejections == ["delivered_too_often: five times"]
        assert one.header.length == len(one.records)


def test_a_stream_is_one_of_a_namespace_and_a_shard() -> None:
    address = stream_address("redis://user:hunter2@there:1234/5?protocol=2", "orders", 3)
    assert address.stream == "batching-demo/orders/3"
    assert address.server_url == "redis://user:hunter2@there:1234/5?protocol=2"
    assert str(address) == "redis://there:1234/5/batching-demo/orders/3"
    assert stream_address("redis://there", "n", 0).database == 0


@pytest.mark.parametrize(
    "url",
    [
        "there:6379",
        "sqs://there/1/orders",
        "redis://there/0/stream",
        "redis+cluster://there",
        "redis://a,b/0",
        "redis://",
    ],
)
def test_what_names_no_server_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(QueueUrlError, match=r"^BATCHING_DEMO_QUEUE_URL \(--queue-url\): ") as error:
        stream_address(url, "default", 0)
    assert isinstance(error.value, UserError)
    assert "\n" not in str(error.value)


def test_a_submission_that_was_never_added_has_no_entry() -> None:
    sender = QueueSender()
    sender._entries = {"s0": "1-0", "s2": "2-0"}
    assert sender._sent_in(SubmissionMessage(0, SENT)) == ["1-0", "", "2-0"]
