"""What makes a text an idempotency key."""

from batching_demo.contracts.limits import MAX_KEY_BYTES
from batching_demo.records.rejection import RejectionError


def check_key(key: str) -> None:
    """Check that a text can be a key.

    Raises:
        RejectionError: It is blank, too long, or no text that Postgres can store.
    """
    if not key or key.isspace():
        raise RejectionError("key_empty", "the key is empty or blank")
    if "\0" in key:
        raise RejectionError("nul", "a NUL character in the key")
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise RejectionError("lone_surrogate", "half a surrogate pair in the key") from None
    if size > MAX_KEY_BYTES:
        raise RejectionError("key_too_long", f"the key has {size} bytes, at most {MAX_KEY_BYTES}")
