"""How an encrypted payload says what it is."""

ENCODING = "encoding"
ENCRYPTED = b"binary/encrypted"
"""The encoding of a payload that is encrypted as a whole."""
KEY_ID = "encryption-key-id"
"""Its other metadata: the id of the key, which is no secret."""
