"""The encoding of records keeps everything and refuses everything else."""

import struct
import zlib
from hashlib import sha256
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batching_demo.contracts.encoding import (
    EncodingError,
    PreparedRecord,
    decode_records,
    encode_records,
    encoded_size,
    join,
    pack,
    split,
    unpack,
)
from batching_demo.contracts.messages import Submission, SubmissionHeader
from batching_demo.contracts.names import shard_for

texts = st.text(st.characters(exclude_categories=["Cs"]))
records = st.builds(
    PreparedRecord,
    key=texts,
    line=st.integers(0, 2**63),
    payload=texts,
    content_hash=st.binary(min_size=32, max_size=32),
    rejection=texts,
)


@given(st.lists(records, max_size=20))
def test_records_come_back_as_they_went(originals: list[PreparedRecord]) -> None:
    columns = decode_records(encode_records(originals))
    back = zip(
        columns.keys,
        columns.lines,
        columns.payloads,
        columns.hashes,
        columns.rejections,
        strict=True,
    )
    assert [PreparedRecord(*fields) for fields in back] == originals


@given(st.lists(records, max_size=5), st.data())
def test_cut_or_longer_bytes_are_refused(
    originals: list[PreparedRecord], data: st.DataObject
) -> None:
    encoded = encode_records(originals)
    cut = encoded[: data.draw(st.integers(0, len(encoded) - 1))]
    for wrong in (cut, encoded + b"x"):
        with pytest.raises(EncodingError):
            decode_records(wrong)


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_are_refused(anything: bytes) -> None:
    try:
        decode_records(anything)
    except EncodingError:
        return


@given(records)
def test_encoded_size_is_what_a_record_adds(record: PreparedRecord) -> None:
    one, two = encode_records([record]), encode_records([record, record])
    assert encoded_size(record) == plain_size(two) - plain_size(one)


def plain_size(encoded: bytes) -> int:
    prefix, rest = encoded[:5], encoded[5:]
    return len(zlib.decompress(rest)) if prefix[0] == 4 else len(rest)


def test_repetitive_records_are_deflated_and_others_left_plain() -> None:
    noise = Random(1).randbytes(32)
    alone = PreparedRecord("", 0, "", noise)
    alike = [PreparedRecord(f"k{n}", n, '{"carrier": "UA"}', bytes(32)) for n in range(100)]
    assert len(encode_records(alike)) < sum(map(encoded_size, alike)) / 4
    assert len(encode_records([alone])) <= 5 + encoded_size(alone)


def test_what_inflates_without_bound_is_refused() -> None:
    bomb = struct.pack("<BI", 4, 1) + zlib.compress(bytes(100_000_000), 9)
    with pytest.raises(EncodingError, match="exceed 1048576 bytes"):
        decode_records(bomb)


def test_a_record_without_a_hash_has_that_of_its_payload() -> None:
    apart = bytes(range(32))
    originals = [PreparedRecord("a", 1, "é"), PreparedRecord("b", 2, "{ }", apart)]
    columns = decode_records(encode_records(originals))
    assert columns.hashes == [sha256("é".encode()).digest(), apart]


@pytest.mark.parametrize("encoding", [0, 1, 2, 5, 255])
def test_an_unknown_encoding_is_named(encoding: int) -> None:
    with pytest.raises(EncodingError, match=f"encoding {encoding},"):
        decode_records(struct.pack("<BI", encoding, 1) + bytes(100))


@given(st.lists(st.tuples(st.integers(0, 9), st.text(), st.binary(min_size=100))))
def test_what_is_packed_is_unpacked(parts: list[tuple[int, str, bytes]]) -> None:
    submissions = [
        Submission(
            SubmissionHeader(f"{text}/{index}", text, 1, len(records), text, shard=shard), records
        )
        for index, (shard, text, records) in enumerate(parts)
    ]
    assert unpack(pack(submissions)) == submissions
    assert split(*join(submissions)) == submissions


def test_split_refuses_lengths_that_do_not_fit() -> None:
    header = SubmissionHeader("id", "requester", records=1, length=100)
    assert split([header], bytes(100)) == [Submission(header, bytes(100))]
    for wrong in (bytes(99), bytes(101)):
        with pytest.raises(EncodingError, match="announce"):
            split([header], wrong)


@pytest.mark.parametrize("records", [0, -1, 5_500, 10**12])
def test_split_refuses_more_records_than_fit(records: int) -> None:
    with pytest.raises(EncodingError, match="cannot hold"):
        split([SubmissionHeader("id", "requester", records, 100)], bytes(100))


def test_shards_never_change() -> None:
    # A key that moved to another shard would only lose speed, but every process has to agree.
    assert [shard_for(key, 8) for key in ("a", "b", "flight 1", "é")] == [3, 1, 3, 6]
