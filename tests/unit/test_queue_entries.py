"""What an entry of a submission stream holds, with keys and without."""

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.converter import DataConverter

from batching_demo.contracts.encoding import pack
from batching_demo.contracts.payloads import UndecodableError
from batching_demo.encryption.converter import with_keys
from batching_demo.encryption.keys import read_keys
from batching_demo.queue_servers.entries import body_of, packed_in
from tests.support.encryption import KEY_A, KEY_B, WRONG_A
from tests.support.records import record, submission

PACKED = pack([submission("s", [record("secret")], "requester")])


def converter(keys: str) -> DataConverter:
    return with_keys(DataConverter.default, read_keys(keys) if keys else None)


async def test_without_keys_a_body_is_what_was_packed() -> None:
    assert await body_of(PACKED, converter("")) == PACKED


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (KEY_A, f"{KEY_B},{KEY_A}"),
        ("", KEY_A),
        (f"none,{KEY_A}", ""),
        (KEY_A, f"none,{KEY_A}"),
    ],
)
async def test_whoever_has_the_key_reads_it(written: str, read: str) -> None:
    body = await body_of(PACKED, converter(written))
    assert await packed_in(body, converter(read)) == PACKED


async def test_with_a_key_nothing_of_it_is_to_be_seen() -> None:
    body = await body_of(PACKED, converter(KEY_A))
    assert b"requester" in PACKED
    assert b"requester" not in body


@pytest.mark.parametrize("keys", ["", KEY_B, WRONG_A])
async def test_whoever_lacks_the_key_reads_nothing(keys: str) -> None:
    body = await body_of(PACKED, converter(KEY_A))
    with pytest.raises(UndecodableError, match="key 'a'"):
        await packed_in(body, converter(keys))


async def test_a_codec_that_this_worker_lacks_is_asked_for() -> None:
    body = Payload(metadata={"encoding": b"of-another"}, data=b"secret").SerializeToString()
    with pytest.raises(UndecodableError, match="give this worker the codec that") as refused:
        await packed_in(body, converter(KEY_A))
    assert "secret" not in str(refused.value)


JSON = Payload(metadata={"encoding": b"json/plain"}, data=b'"text"').SerializeToString()


@pytest.mark.parametrize("body", [JSON, b"", b"text", b"\xff", b"[", b"\n\x00"])
async def test_what_was_not_packed_stays_as_it_is(body: bytes) -> None:
    assert await packed_in(body, converter(KEY_A)) == body
