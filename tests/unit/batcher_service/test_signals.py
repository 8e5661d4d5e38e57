"""Any signal becomes submissions; what is none is refused in its sender's name."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import count

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadConverter

from batching_demo.batcher_service.batcher.signals import read_signal
from batching_demo.contracts.encoding import join
from batching_demo.contracts.messages import SubmissionHeader
from batching_demo.contracts.payloads import UndecodableError
from tests.support.records import record, submission

CONVERTER = PayloadConverter.default
SHOWN_BYTES = 4096


def read_payloads(name: str, payloads: Sequence[Payload]) -> list[tuple[SubmissionHeader, bytes]]:
    ids = count()
    found = read_signal(name, payloads, CONVERTER, 5.0, lambda: str(next(ids)))
    return [(one.header, one.records) for one in found]


def read(*arguments: object) -> list[tuple[SubmissionHeader, bytes]]:
    return read_payloads("submit", CONVERTER.to_payloads(arguments))


def encoded(document: object) -> Payload:
    """Encode JSON of any kind, lone surrogates included, as a client in another language may."""
    data = json.dumps(document).encode()
    return Payload(metadata={"encoding": b"json/plain"}, data=data)


def assert_refused(found: list[tuple[SubmissionHeader, bytes]]) -> None:
    assert found
    assert all(header.malformed for header, _ in found)
    assert_bounded(found)


def assert_bounded(found: list[tuple[SubmissionHeader, bytes]]) -> None:
    """Assert that what came is of the length that its header says, and short if it is refused."""
    for header, records in found:
        assert header.records >= 1
        assert header.length == len(records)
        assert len(records) <= SHOWN_BYTES or not header.malformed


texts = st.text(st.characters(exclude_categories=()), max_size=5)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
named = st.fixed_dictionaries(
    {},
    optional={
        "submission_id": st.just("an id") | scalars,
        "requester": st.just("main-1") | scalars,
        "records": st.integers(-2, 3) | st.just(10**13) | scalars,
        "length": st.integers(-2, 100) | scalars,
        "malformed": scalars,
        "unheard of": scalars,
    },
)
documents = st.recursive(
    scalars | named,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
json_payloads = documents.map(encoded)
any_payloads = json_payloads | st.builds(
    lambda encoding, data: Payload(metadata={"encoding": encoding}, data=data),
    st.sampled_from([b"json/plain", b"binary/plain", b"binary/null", b"json/protobuf", b"mine"])
    | st.binary(max_size=5),
    st.binary(max_size=20),
)
binary = st.binary(max_size=20).map(
    lambda data: Payload(metadata={"encoding": b"binary/plain"}, data=data)
)
pairs = st.tuples((st.lists(named, max_size=3) | documents).map(encoded), binary).map(list)


@given(st.sampled_from(["submit", "sumbit", "", "\ud800"]), st.lists(any_payloads, max_size=3))
@example("submit", [Payload(metadata={"encoding": b"json/plain"}, data=b"[" * 10_000)])
@example("submit", [encoded([]), encoded([])])
def test_no_signal_raises(name: str, payloads: list[Payload]) -> None:
    found = read_payloads(name, payloads)
    assert found
    assert_bounded(found)


@given(pairs)
def test_no_headers_raise(payloads: list[Payload]) -> None:
    """As above, but with bytes in the second place, where a submission has its records."""
    found = read_payloads("submit", payloads)
    assert found
    assert_bounded(found)


@pytest.mark.parametrize("name", ["sumbit", "", "\ud800"])
def test_an_unknown_signal_is_refused(name: str) -> None:
    assert_refused(read_payloads(name, CONVERTER.to_payloads(["some", "thing"])))


@given(
    st.lists(named | documents, max_size=3),
    st.sampled_from(["an id", "é" * 1_000]),
    st.integers(0, 3),
    st.booleans(),
)
def test_whoever_names_itself_is_answered(
    others: list[object], name: str, place: int, is_alone: bool
) -> None:
    sender = {"submission_id": name, "requester": "main-7"}
    argument = sender if is_alone else [*others[:place], sender, *others[place:]]
    found = read_payloads("submit", [encoded(argument), encoded("no bytes")])
    assert_refused(found)
    assert (name, "main-7") in {(header.submission_id, header.requester) for header, _ in found}


@pytest.mark.parametrize("name", ["", None, 7, "x" * 1_101, "a\0", "\ud800", ["an id"]])
@pytest.mark.parametrize("field", ["submission_id", "requester"])
def test_a_name_that_is_none_is_answered_to_nobody(field: str, name: object) -> None:
    sender = {"submission_id": "an id", "requester": "main-1", field: name}
    ((header, _),) = read_payloads("submit", [encoded([sender]), encoded("no bytes")])
    if name == "":
        assert getattr(header, field) == ""
    else:
        assert (header.submission_id, header.requester) == ("malformed/0", "")


@pytest.mark.parametrize(
    ("claimed", "believed"),
    [(1, 1), (7, 7), (10_000, 10_000), (10_001, 1), (0, 1), (-3, 1), ("7", 1), (None, 1)],
)
def test_a_refusal_covers_as_many_records_as_were_announced(claimed: object, believed: int) -> None:
    sender = {"submission_id": "an id", "requester": "main-1", "records": claimed}
    ((header, _),) = read(sender, "no bytes")
    assert header.records == believed


def test_a_signal_that_names_thousands_is_answered_to_a_hundred() -> None:
    senders = [{"submission_id": f"s{n}", "requester": "main-1"} for n in range(5_000)]
    found = read(senders, "no bytes")
    assert [header.submission_id for header, _ in found] == [f"s{n}" for n in range(100)]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5))
def test_what_is_well_formed_comes_as_it_was_sent(sizes: list[int]) -> None:
    sent = [
        submission(f"s{n}", [record(f"{n}/{position}") for position in range(size)], f"main-{n}")
        for n, size in enumerate(sizes)
    ]
    headers, records = join(sent)
    found = read([asdict(header) for header in headers], records)
    assert found == [(one.header, one.records) for one in sent]


def test_fields_of_a_later_version_are_no_error() -> None:
    one = submission("s", [record("a")])
    read_back = read([{**asdict(one.header), "unheard_of": 1}], one.records)
    assert read_back == [(one.header, one.records)]


@pytest.mark.parametrize("change", [-1, 1])
def test_bytes_of_another_length_are_refused(change: int) -> None:
    one = submission("s", [record("a")])
    wrong = one.records[:-1] if change < 0 else one.records + b"x"
    ((refused, _),) = read([asdict(one.header)], wrong)
    assert (refused.submission_id, refused.requester) == ("s", "nobody")
    assert f"{len(wrong)} came" in refused.malformed


def test_one_larger_than_a_batch_is_refused_and_its_neighbour_is_not() -> None:
    small, large = submission("small", [record("a")]), submission("large", [record("b")])
    long = large.records.ljust(600_000, b"\0")
    headers = [asdict(small.header), {**asdict(large.header), "length": len(long)}]
    kept, (refused, shown) = read(headers, small.records + long)
    assert kept == (small.header, small.records)
    assert (refused.submission_id, len(shown)) == ("large", SHOWN_BYTES)
    assert "at most 524288" in refused.malformed


def test_the_submission_of_the_longest_workflow_id_is_read() -> None:
    workflow_id = "w" * 1_000
    name = f"{workflow_id}/write-1000/0123456789abcdef/1000"
    made = submission(name, [record("k")], workflow_id, source=workflow_id)
    headers, records = join([made])
    assert read([asdict(header) for header in headers], records) == [(made.header, made.records)]


def test_what_is_encrypted_is_not_refused_but_waits_for_the_key() -> None:
    locked = Payload(metadata={"encoding": b"binary/encrypted", "encryption-key-id": b"a"})
    with pytest.raises(UndecodableError, match="key 'a'"):
        read_payloads("submit", [encoded([]), locked])
