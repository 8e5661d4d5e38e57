"""Turn what was read of a record into one that is ready to be stored, or rejected."""

from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

from batching_demo.contracts.encoding import PreparedRecord, encoded_size
from batching_demo.contracts.limits import MAX_RECORD_BYTES
from batching_demo.records.json_text import content_hash
from batching_demo.records.rejection import TRUNCATED_BYTES, RejectionError, truncated


class Content(NamedTuple):
    """A record that can be stored."""

    key: str
    payload: str
    """JSON text of an object."""
    canonical: str
    """The payload in the one form that content hashes are made of."""


def prepare_record(
    line: int, text: str, read: Callable[[], Content], *, rejected_key: str = ""
) -> PreparedRecord:
    """Return a record that is ready to be stored, or rejected with its reason.

    Args:
        line: Where it stands in its source.
        text: The record as it came; a dead letter keeps it.
        read: Returns the content of the text, or raises a `RejectionError`.
        rejected_key: The key of the record if it is rejected.
    """
    try:
        key, payload, canonical = read()
        record = PreparedRecord(key, line, payload, content_hash(payload, canonical))
    except RejectionError as rejection:
        record = PreparedRecord(rejected_key, line, text, b"", str(rejection))
    size = encoded_size(record)
    if size <= MAX_RECORD_BYTES:
        return record
    whole = text.encode()
    return reject_too_large(record.key, line, size, whole, sha256(whole).hexdigest())


def reject_too_large(
    key: str, line: int, size: int, beginning: bytes, digest: str
) -> PreparedRecord:
    """Return the rejected record that stands for one over the limit.

    Args:
        key: Of the record, if it is known.
        line: Where it stands in its source.
        size: Of the whole record, in bytes.
        beginning: Of its text; more than is kept does no harm.
        digest: SHA-256 of its whole text, hex.
    """
    rejection = RejectionError(
        "too_large",
        f"the record has {size} bytes, at most {MAX_RECORD_BYTES} are allowed;"
        f" truncated to its first {TRUNCATED_BYTES}, SHA-256 of the whole {digest}",
    )
    return PreparedRecord(key, line, truncated(beginning), b"", str(rejection))
