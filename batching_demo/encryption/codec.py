"""The codec that encrypts each payload as a whole, its metadata included."""

import os
from collections.abc import Sequence

from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from batching_demo.contracts.errors import UserError
from batching_demo.contracts.payloads import ENCODING, ENCRYPTED, KEY_ID
from batching_demo.encryption.keys import EncryptionKeys
from batching_demo.settings import ENCRYPTION_KEYS, SettingsError

VERSION = b"\x01"
"""First byte of the data: nonce and ciphertext follow it."""
NONCE_BYTES = 12
_ASSOCIATED = b"batching-demo payload "


class UndecodableError(UserError):
    """A payload cannot be decrypted; the message names the key that is missing or wrong."""


class EncryptionCodec(PayloadCodec):
    """Encrypts with AES-256-GCM. What is not encrypted passes through `decode` unchanged.

    A payload of a few hundred bytes takes some microseconds, so it runs on the event loop.

    Args:
        keys: The first encrypts, all decrypt.

    Raises:
        SettingsError: The library that encrypts is not installed.
    """

    def __init__(self, keys: EncryptionKeys) -> None:
        try:
            from cryptography.exceptions import InvalidTag
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError:
            raise SettingsError(
                f"{ENCRYPTION_KEYS} needs the package cryptography: install"
                " batching-demo[encryption]"
            ) from None
        self._invalid_tag = InvalidTag
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.by_id.items()}
        self._first_id = keys.first_id.encode()
        self._first = self._ciphers[keys.first_id]

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Return each payload encrypted with the first key."""
        return [self._encrypted(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Return each payload decrypted, or as it is if it is not encrypted.

        Raises:
            UndecodableError: The key of a payload is missing or wrong, or the payload was changed.
        """
        return [
            self._decrypted(payload) if payload.metadata.get(ENCODING) == ENCRYPTED else payload
            for payload in payloads
        ]

    def _encrypted(self, payload: Payload) -> Payload:
        nonce = os.urandom(NONCE_BYTES)
        plain = payload.SerializeToString()
        hidden = self._first.encrypt(nonce, plain, _associated(self._first_id))
        return Payload(
            metadata={ENCODING: ENCRYPTED, KEY_ID: self._first_id},
            data=b"".join((VERSION, nonce, hidden)),
        )

    def _decrypted(self, payload: Payload) -> Payload:
        key_id = payload.metadata.get(KEY_ID, b"")
        name = key_id.decode(errors="replace")
        cipher = self._ciphers.get(name)
        if cipher is None:
            raise UndecodableError(missing_key(name))
        data = payload.data
        if data[:1] != VERSION:
            raise UndecodableError(f"a payload under key {name!r} is in a format that is not known")
        nonce, hidden = data[1 : 1 + NONCE_BYTES], data[1 + NONCE_BYTES :]
        try:
            return Payload.FromString(cipher.decrypt(nonce, hidden, _associated(key_id)))
        except (self._invalid_tag, ValueError):
            raise UndecodableError(
                f"the key {name!r} of {ENCRYPTION_KEYS} is not the one that has encrypted a"
                " payload, or the payload was changed: take the key that the others have"
            ) from None


def missing_key(key_id: str) -> str:
    """Return the line about a payload whose key a process does not have."""
    return f"a payload is encrypted under key {key_id!r}: add that key to {ENCRYPTION_KEYS}"


def _associated(key_id: bytes) -> bytes:
    """Return what is authenticated with a payload: the format, its version and the key's id."""
    return _ASSOCIATED + VERSION + key_id
