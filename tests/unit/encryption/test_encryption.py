"""Keys, the codec and the data converter: what is hidden, what is refused, and in which words."""

import base64
import logging
import sys
from dataclasses import replace

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError

from batching_demo.cli.process.logs import without_tracebacks_about_keys
from batching_demo.contracts.payloads import UndecodableError, is_encrypted, key_id_of
from batching_demo.encryption.codec import EncryptionCodec
from batching_demo.encryption.converter import with_keys
from batching_demo.encryption.keys import read_keys
from batching_demo.settings import Settings, SettingsError

PLAIN = DataConverter.default
SECRET = "hunter2"


def key(letter: str) -> str:
    return base64.b64encode(letter.encode() * 32).decode()


def converter(keys: str) -> DataConverter:
    return with_keys(PLAIN, read_keys(keys) if keys else None)


A, B, OTHER_A = f"a:{key('1')}", f"b:{key('2')}", f"a:{key('3')}"


def test_keys_are_read_and_not_shown() -> None:
    keys = read_keys(f" {A} , {B}\n")
    assert (list(keys.by_id), keys.encrypting) == (["a", "b"], "a")
    assert keys.by_id["b"] == b"2" * 32
    shown = repr(keys) + repr(Settings.from_environment({"BATCHING_DEMO_ENCRYPTION_KEYS": A}))
    assert key("1") not in shown
    assert read_keys(f"none,{B}").encrypting is None


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        (key("1"), 1, "not ID:KEY"),
        ("none", 1, "not ID:KEY"),
        (f"{A},", 2, "not ID:KEY"),
        (f"{A},none", 2, "not ID:KEY"),
        (f"{A},{A}", 2, "the id of an earlier entry"),
        (f"{A},b:hunter2!", 2, "not base64"),
        (f"b:{key('1')[:-4]}", 1, "its key has 30 bytes, not 32"),
        (f":{key('1')}", 1, "its id"),
        (f"ä:{key('1')}", 1, "its id"),
        (f"none:{key('1')}", 1, "none is no id"),
        (f"{A},none:{key('2')}", 2, "none is no id"),
        (f"b:{key('1').rstrip('=')}", 1, "not base64 with + and /, and = at its end"),
        (f"b:{base64.urlsafe_b64encode(bytes([255]) * 32).decode()}", 1, "not base64 with + and /"),
        (f"{'x' * 65}:{key('1')}", 1, "its id"),
        (f"{A} {B}", 1, "not base64"),
    ],
)
def test_a_malformed_entry_is_named_by_its_position(text: str, position: int, reason: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_keys(text)
    message = str(refused.value)
    assert message.startswith(f"BATCHING_DEMO_ENCRYPTION_KEYS, entry {position}")
    assert reason in message
    assert key("1")[:12] not in message
    assert SECRET not in message


async def test_only_the_id_of_the_key_is_to_be_seen() -> None:
    (payload,) = await converter(A).encode([{"password": SECRET}])
    assert is_encrypted(payload)
    assert key_id_of(payload) == "a"
    assert set(payload.metadata) == {"encoding", "encryption-key-id"}
    seen = payload.SerializeToString()
    assert SECRET.encode() not in seen
    assert b"json" not in seen
    assert (await converter(A).encode([{"password": SECRET}]))[0].data != payload.data


@pytest.mark.parametrize(
    ("written", "read"),
    [(A, A), (A, f"{B},{A}"), (f"{B},{A}", B), ("", A), (f"none,{A}", ""), (A, f"none,{A}")],
)
async def test_whoever_has_the_key_reads_and_plain_payloads_stay_readable(
    written: str, read: str
) -> None:
    payloads = await converter(written).encode([{"a": 1}, b"bytes", None])
    assert await converter(read).decode(payloads) == [{"a": 1}, b"bytes", None]


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ("", "encrypted under key 'a': add that key to BATCHING_DEMO_ENCRYPTION_KEYS"),
        (B, "encrypted under key 'a': add that key to BATCHING_DEMO_ENCRYPTION_KEYS"),
        (OTHER_A, "key 'a' of BATCHING_DEMO_ENCRYPTION_KEYS is not the one"),
    ],
)
async def test_whoever_lacks_the_key_learns_its_id(keys: str, reason: str) -> None:
    payloads = await converter(A).encode([SECRET])
    with pytest.raises(UndecodableError, match=reason) as refused:
        await converter(keys).decode(payloads)
    assert refused.value.exit_code == 1
    failure = Failure()
    await converter(A).encode_failure(ApplicationError(SECRET), failure)
    with pytest.raises(UndecodableError, match=reason):
        await converter(keys).decode_failure(failure)


async def test_what_was_changed_is_refused() -> None:
    codec = EncryptionCodec(read_keys(f"{A},b:{key('1')}"))
    (payload,) = await codec.encode([Payload(data=b"x")])
    for changed in (
        Payload(metadata=payload.metadata, data=payload.data[:-1]),
        Payload(metadata=payload.metadata, data=b"\x02" + payload.data[1:]),
        Payload(metadata=payload.metadata),
        # The same key under another id: the id is authenticated, too.
        Payload(metadata={**payload.metadata, "encryption-key-id": b"b"}, data=payload.data),
    ):
        with pytest.raises(UndecodableError):
            await codec.decode([changed])


async def test_failures_hide_message_and_stack_trace() -> None:
    failure = Failure()
    try:
        raise ApplicationError(f"cannot store {SECRET}", SECRET)
    except ApplicationError as error:
        await converter(A).encode_failure(error, failure)
    assert SECRET.encode() not in failure.SerializeToString()
    assert (failure.message, failure.stack_trace) == ("Encoded failure", "")
    decoded = await converter(A).decode_failure(failure)
    assert isinstance(decoded, ApplicationError)
    assert (decoded.message, decoded.details) == (f"cannot store {SECRET}", (SECRET,))


def test_a_client_has_one_codec() -> None:
    codec = EncryptionCodec(read_keys(A))
    with_codec = replace(PLAIN, payload_codec=codec)
    with pytest.raises(SettingsError, match="a payload codec of its own"):
        with_keys(with_codec, read_keys(B))
    assert with_keys(with_codec, None).payload_codec is codec


def test_without_the_library_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(SettingsError, match=r"FOLDER_OF_THE_CLONE\[encryption\]"):
        EncryptionCodec(read_keys(A))


def test_a_missing_key_is_logged_without_a_traceback() -> None:
    try:
        try:
            raise UndecodableError("key 'a' is missing")
        except UndecodableError as error:
            raise RuntimeError("Failed decoding arguments") from error
    except RuntimeError:
        failed = sys.exc_info()
    record = logging.LogRecord("temporalio", logging.ERROR, "", 1, "task %s failed", ("x",), failed)
    assert without_tracebacks_about_keys(record)
    assert logging.Formatter().format(record) == "task x failed: key 'a' is missing"
