"""What an entry of a submission stream holds: packed submissions, encrypted if payloads are."""

from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import DataConverter

from batching_demo.contracts.payloads import ENCODING, UndecodableError

PACKED = b"["
"""What packed submissions begin with, and no payload does."""


async def body_of(packed: bytes, converter: DataConverter) -> bytes:
    """Return the body of an entry: with a payload codec it is a payload, as Temporal would get it.

    Args:
        packed: The submissions.
        converter: Of the client of the requester.
    """
    if converter.payload_codec is None:
        return packed
    (payload,) = await converter.encode([packed])
    return payload.SerializeToString()


async def packed_in(body: bytes, converter: DataConverter) -> bytes:
    """Return the packed submissions of an entry. What is no payload comes back as it is.

    Args:
        body: Of the entry.
        converter: Of the client of the batcher worker.

    Raises:
        UndecodableError: The converter cannot read the payload, as it lacks the key.
    """
    payload = _payload(body)
    if payload is None:
        return body
    try:
        (packed,) = await converter.decode([payload])
    except UndecodableError:
        raise
    except Exception as error:
        # Another codec raises what it likes, and its text may show what it has read.
        raise UndecodableError(
            f"payloads cannot be decoded ({type(error).__name__}): give this worker the codec that"
            " the other processes have"
        ) from None
    return packed if isinstance(packed, bytes) else body


def _payload(body: bytes) -> Payload | None:
    """Return the payload that a body is; None if it is none."""
    if body.startswith(PACKED):
        return None
    try:
        payload = Payload.FromString(body)
    except DecodeError:
        return None
    return payload if ENCODING in payload.metadata else None
