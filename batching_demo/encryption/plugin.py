"""What gives a client of Temporal the keys."""

import os

from temporalio.client import ClientConfig
from temporalio.common import HeaderCodecBehavior
from temporalio.converter import DataConverter
from temporalio.plugin import SimplePlugin

from batching_demo.contracts.payloads import ENCRYPTION_KEYS
from batching_demo.encryption.converter import with_keys
from batching_demo.encryption.keys import read_keys
from batching_demo.secret_files import find_secret


class EncryptionPlugin(SimplePlugin):
    """Encrypts all that a client sends to Temporal, and all that its workers do.

    Give it to the client, as the last of its plugins. The client keeps its data converter, which
    may have no other payload codec.

    Args:
        keys: `id:base64,...`, a key of 32 bytes each: the first encrypts, all decrypt. By default
            BATCHING_DEMO_ENCRYPTION_KEYS says, or the file that BATCHING_DEMO_ENCRYPTION_KEYS_FILE
            names; an empty text encrypts nothing.

    Raises:
        Exception: The keys are malformed, or the package cryptography is missing. The message is
            one line, and has no key in it.
    """

    def __init__(self, keys: str | None = None) -> None:
        text = find_secret(os.environ, ENCRYPTION_KEYS) if keys is None else keys
        self._keys = read_keys(text) if text else None
        super().__init__("batching_demo.encryption", data_converter=self._convert)

    def _convert(self, converter: DataConverter | None) -> DataConverter:
        return with_keys(converter or DataConverter.default, self._keys)

    def configure_client(self, config: ClientConfig) -> ClientConfig:
        """Return the configuration with a data converter that encrypts, headers included."""
        config = super().configure_client(config)
        if self._keys:
            config["header_codec_behavior"] = HeaderCodecBehavior.CODEC
        return config
