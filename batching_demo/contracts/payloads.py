"""How an encrypted payload says what it is, and the error of a process that cannot read one."""

from typing import TYPE_CHECKING

from batching_demo.contracts.errors import UserError

if TYPE_CHECKING:
    # Commands without Temporal read the settings, and so this file, without its SDK.
    from temporalio.api.common.v1 import Payload

ENCRYPTION_KEYS = "BATCHING_DEMO_ENCRYPTION_KEYS"
"""The variable that has the keys of a process."""
ENCODING = "encoding"
ENCRYPTED = b"binary/encrypted"
"""The encoding of a payload that is encrypted as a whole."""
KEY_ID = "encryption-key-id"
"""Its other metadata: the id of the key, which is no secret."""


class UndecodableError(UserError):
    """A payload cannot be decrypted; the message names the key that is missing or wrong."""


def is_encrypted(payload: "Payload") -> bool:
    """Return whether a payload is still encrypted."""
    return payload.metadata.get(ENCODING) == ENCRYPTED


def key_id_of(payload: "Payload") -> str:
    """Return the id of the key that has encrypted a payload."""
    return payload.metadata.get(KEY_ID, b"").decode(errors="replace")


def key_missing(payload: "Payload") -> UndecodableError:
    """Return the error of a process that lacks the key of a payload."""
    return UndecodableError(
        f"payloads are encrypted under key {key_id_of(payload)!r}: add that key to"
        f" {ENCRYPTION_KEYS}"
    )
