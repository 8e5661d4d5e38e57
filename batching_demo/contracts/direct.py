"""What a client without a workflow and the batcher service send to each other, as plain JSON."""

from typing import TypeGuard

from batching_demo.contracts.limits import KIB

WRITE_RECORDS = "write_records"
"""Activity of the batcher service that takes a request, and returns the result of each record.

A request is an object. It has `records`, a list of objects with `key` and `payload`. It may have
`request_id`, `source` and `target`. Only records of the target `records` have a key: that of any
other target is in the payload. The answer is an object with `records`, an object for each record in
the same order, and `digest`, which depends on the records that were sent.
"""
INVALID_REQUEST = "InvalidRequest"
"""Type of the error of a request that cannot be read. No repetition would mend it."""

DEFAULT_SOURCE = "direct"
"""What rows and dead letters name as their source, unless the request names one."""
RECORDS_PER_SUBMISSION = 100
"""Part of the identity of submissions, so it depends on the settings of no worker."""
MAX_REQUEST_RECORDS = 1_000
MAX_REQUEST_BYTES = 1_024 * KIB
"""Bytes of all keys in JSON, and of all payloads in UTF-8. Temporal takes no argument or result of
over 2 MiB."""
MAX_JSON_BYTES = 1_984 * KIB
"""Bytes of a request as JSON, where a quote takes 2 bytes, and a character beyond ASCII 6 or 12."""
LONGEST_NAME_BYTES = 512
"""UTF-8 bytes of a request id, of a source and of a target."""
NAME_NEEDED = f"a text of 1 to {LONGEST_NAME_BYTES} bytes is needed"


def is_name(value: object) -> TypeGuard[str]:
    """Return whether a value may be a request id, a source or a target."""
    try:
        return isinstance(value, str) and 0 < len(value.encode()) <= LONGEST_NAME_BYTES
    except UnicodeEncodeError:
        return False  # half a surrogate pair
