"""The keys that encrypt payloads, as one variable names them."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from batching_demo.contracts.payloads import ENCRYPTION_KEYS
from batching_demo.settings import SettingsError

KEY_BYTES = 32
"""Of a key of AES-256."""
NONE = "none"
"""As the first entry: nothing is encrypted, and the keys after it decrypt. So it is no id."""
_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MAKE_ONE = "make one with `openssl rand -base64 32`"


@dataclass(frozen=True)
class EncryptionKeys:
    """The keys of a process. All of them decrypt."""

    by_id: Mapping[str, bytes] = field(repr=False)
    """In the order of the variable. Ids are no secrets: each payload names that of its key."""
    encrypting: str | None
    """The id of the key that encrypts, which is the first; None if nothing is encrypted yet."""


def read_keys(text: str) -> EncryptionKeys:
    """Read keys from `id:base64,id:base64`, or from `none,id:base64`.

    Raises:
        SettingsError: An entry is malformed. The message names its position, and shows none of it.
    """
    entries = [entry.strip() for entry in text.split(",")]
    keys: dict[str, bytes] = {}
    for position, entry in enumerate(entries, start=1):
        place = f"{ENCRYPTION_KEYS}, entry {position}"
        if position == 1 < len(entries) and entry == NONE:
            continue
        key_id, colon, encoded = entry.partition(":")
        if not colon:
            raise SettingsError(f"{place} is not ID:KEY: write an id, a colon and the key")
        if not _KEY_ID.fullmatch(key_id):
            raise SettingsError(f"{place}: its id is not 1 to 64 letters, digits, dots, - and _")
        if key_id == NONE:
            raise SettingsError(f"{place}: {NONE} is no id, as it means that nothing is encrypted")
        if key_id in keys:
            raise SettingsError(f"{place} has the id of an earlier entry: give each its own")
        keys[key_id] = _read_key(place, encoded)
    return EncryptionKeys(keys, None if entries[0] == NONE else next(iter(keys)))


def _read_key(place: str, encoded: str) -> bytes:
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise SettingsError(
            f"{place}: its key is not base64 with + and /, and = at its end: {_MAKE_ONE}"
        ) from None
    if len(key) != KEY_BYTES:
        raise SettingsError(f"{place}: its key has {len(key)} bytes, not {KEY_BYTES}: {_MAKE_ONE}")
    return key
