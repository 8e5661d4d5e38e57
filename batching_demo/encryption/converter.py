"""The data converter that encrypts, and the one that says which key it lacks."""

from dataclasses import replace
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverter,
    DefaultFailureConverterWithEncodedAttributes,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    PayloadConverter,
)

from batching_demo.contracts.payloads import ENCRYPTED, ENCRYPTION_KEYS, is_encrypted, key_missing
from batching_demo.encryption.codec import EncryptionCodec
from batching_demo.encryption.keys import EncryptionKeys
from batching_demo.settings import SettingsError


def with_keys(converter: DataConverter, keys: EncryptionKeys | None) -> DataConverter:
    """Return a data converter that also encrypts, and hides what failures say.

    Args:
        converter: Converts values to payloads.
        keys: None encrypts nothing. What is encrypted then raises an `UndecodableError`.

    Raises:
        SettingsError: The converter has a codec already, or the library that encrypts is missing.
    """
    if keys is None:
        return _without_keys(converter)
    if converter.payload_codec is not None:
        raise SettingsError(
            f"{ENCRYPTION_KEYS} is set, and the client has a payload codec of its own: unset the"
            " variable, or take that codec away"
        )
    hidden = converter
    # An own class decides for itself what it encodes.
    if keys.encrypting and converter.failure_converter_class is DefaultFailureConverter:
        failures = DefaultFailureConverterWithEncodedAttributes
        hidden = replace(converter, failure_converter_class=failures)
    return replace(hidden, payload_codec=EncryptionCodec(keys))


def _without_keys(converter: DataConverter) -> DataConverter:
    """Return a data converter that names the key of what it cannot read.

    It costs nothing, unlike a codec.
    """
    if converter.payload_codec is not None:
        return converter
    if converter.payload_converter_class is DefaultPayloadConverter:
        converter = replace(converter, payload_converter_class=_PayloadConverter)
    if converter.failure_converter_class is DefaultFailureConverter:
        converter = replace(converter, failure_converter_class=_FailureConverter)
    return converter


class _Encrypted(EncodingPayloadConverter):
    """Stands for the key that is missing."""

    @property
    def encoding(self) -> str:
        return ENCRYPTED.decode()

    def to_payload(self, value: Any) -> Payload | None:
        return None

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        raise key_missing(payload)


class _PayloadConverter(CompositePayloadConverter):
    """The default one, which knows encrypted payloads too."""

    def __init__(self) -> None:
        super().__init__(*DefaultPayloadConverter.default_encoding_payload_converters, _Encrypted())


class _FailureConverter(DefaultFailureConverter):
    """The default one, which does not pass over what it cannot read."""

    def from_failure(self, failure: Failure, payload_converter: PayloadConverter) -> BaseException:
        if is_encrypted(failure.encoded_attributes):
            raise key_missing(failure.encoded_attributes)
        return super().from_failure(failure, payload_converter)
