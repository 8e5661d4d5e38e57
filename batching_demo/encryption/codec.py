"""The codec that encrypts each payload as a whole, its metadata included."""

import os
from collections.abc import Sequence

from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from batching_demo.contracts.payloads import (
    ENCODING,
    ENCRYPTED,
    ENCRYPTION_KEYS,
    KEY_ID,
    UndecodableError,
    is_encrypted,
    key_id_of,
    key_missing,
)
from batching_demo.encryption.keys import EncryptionKeys
from batching_demo.settings import SettingsError

VERSION = b"\x01"
"""First byte of the data. The nonce and the ciphertext follow it."""
NONCE_BYTES = 12
_ASSOCIATED = b"batching-demo payload "


class EncryptionCodec(PayloadCodec):
    """Encrypts with AES-256-GCM. What is not encrypted passes through `decode` unchanged.

    It runs on the event loop: a payload of 300 bytes takes 10 us, one of 100 KiB 50 us.

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
                f"{ENCRYPTION_KEYS} needs the package cryptography: install it with"
                " `pip install 'FOLDER_OF_THE_CLONE[encryption]'`"
            ) from None
        self._invalid_tag = InvalidTag
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.by_id.items()}
        self._encrypting = keys.encrypting

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Return each payload encrypted with the first key."""
        key_id = self._encrypting
        if key_id is None:
            return list(payloads)
        return [self._encrypted(payload, key_id) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Return each payload decrypted, or as it is if it is not encrypted.

        Raises:
            UndecodableError: The key of a payload is missing or wrong, or the payload was changed.
        """
        return [
            self._decrypted(payload) if is_encrypted(payload) else payload for payload in payloads
        ]

    def _encrypted(self, payload: Payload, key_id: str) -> Payload:
        nonce, plain = os.urandom(NONCE_BYTES), payload.SerializeToString()
        hidden = self._ciphers[key_id].encrypt(nonce, plain, _associated(key_id))
        return Payload(
            metadata={ENCODING: ENCRYPTED, KEY_ID: key_id.encode()},
            data=b"".join((VERSION, nonce, hidden)),
        )

    def _decrypted(self, payload: Payload) -> Payload:
        key_id = key_id_of(payload)
        if key_id not in self._ciphers:
            raise key_missing(payload)
        data = payload.data
        nonce, hidden = data[1 : 1 + NONCE_BYTES], data[1 + NONCE_BYTES :]
        try:
            if data[:1] != VERSION:
                raise ValueError("a format that is not known here")
            plain = self._ciphers[key_id].decrypt(nonce, hidden, _associated(key_id))
        except (self._invalid_tag, ValueError):
            raise UndecodableError(
                f"key {key_id!r} of {ENCRYPTION_KEYS} is not the one that has encrypted"
                " payloads, or they were changed: take the key that other processes have"
            ) from None
        return Payload.FromString(plain)


def _associated(key_id: str) -> bytes:
    """Return what is authenticated with a payload: the format, its version and the key's id."""
    return _ASSOCIATED + VERSION + key_id.encode()
