"""How records travel: as bytes that only preparation encodes and only the write decodes."""

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from batching_demo.contracts.limits import KIB
from batching_demo.contracts.messages import SubmissionHeader


@dataclass(frozen=True, slots=True)
class PreparedRecord:
    """One record ready to be stored, or already rejected with its reason."""

    key: str
    line: int
    payload: str
    """JSON text of the object; of a rejected record the raw text."""
    content_hash: bytes = b""
    """SHA-256 of the canonical payload; empty where that is the payload as it stands, whose hash
    whoever decodes it can tell."""
    rejection: str = ""


@dataclass(frozen=True, slots=True)
class RecordColumns:
    """Decoded records, a list for every field, so that no object per record is made."""

    keys: list[str]
    lines: list[int]
    payloads: list[str]
    hashes: list[bytes]
    rejections: list[str]


_PREFIX = struct.Struct("<BI")


_ENTRY = struct.Struct("<QIIHB")


_PLAIN, _DEFLATED = 3, 4


_OLD_ENTRY = struct.Struct("<QIIH32s")
"""Of versions 1 and 2, which may still be in a history: every hash is in its entry."""


_OLD_PLAIN, _OLD_DEFLATED = 1, 2


_DEFLATE_LEVEL = 1
"""Flights shrink to a fifth in 1.5 us each; better levels take longer than they save."""


_BEST_DEFLATE_RATIO = 1032


_LARGEST_PLAIN_BYTES = 1024 * KIB


class EncodingError(ValueError):
    """The bytes are not encoded records."""


def encode_records(records: Sequence[PreparedRecord]) -> bytes:
    """Encode records: a prefix, an entry of lengths for each, then all their texts and hashes.

    What follows the prefix is deflated where that makes it smaller.
    """
    entries = []
    texts: list[bytes] = []
    for record in records:
        parts = _parts(record)
        entries.append(_ENTRY.pack(record.line, *map(len, parts)))
        texts += parts
    plain = b"".join(entries + texts)
    deflated = zlib.compress(plain, _DEFLATE_LEVEL)
    if len(deflated) < len(plain):
        return _PREFIX.pack(_DEFLATED, len(records)) + deflated
    return _PREFIX.pack(_PLAIN, len(records)) + plain


def encoded_size(record: PreparedRecord) -> int:
    """Tell how many bytes a record adds to its submission, before that is deflated."""
    return _ENTRY.size + sum(map(len, _parts(record)))


def _parts(record: PreparedRecord) -> tuple[bytes, bytes, bytes, bytes]:
    texts = record.key.encode(), record.payload.encode(), record.rejection.encode()
    return *texts, record.content_hash


def decode_records(encoded: bytes) -> RecordColumns:
    """Decode records into columns.

    Raises:
        EncodingError: the bytes were not made by `encode_records`.
    """
    try:
        return _decode(encoded)
    except (struct.error, UnicodeDecodeError, IndexError, zlib.error) as error:
        raise EncodingError(f"not encoded records ({type(error).__name__})") from None


def _decode(encoded: bytes) -> RecordColumns:
    version, count = _PREFIX.unpack_from(encoded)
    is_old = version in (_OLD_PLAIN, _OLD_DEFLATED)
    entry = _OLD_ENTRY if is_old else _ENTRY
    plain = _inflate(encoded, version)
    end = count * entry.size
    columns = RecordColumns([], [], [], [], [])
    for line, key, payload, rejection, hashed in entry.iter_unpack(memoryview(plain)[:end]):
        start, of_payload, of_rejection = end, end + key, end + key + payload
        end = of_rejection + rejection
        text = plain[of_payload:of_rejection]
        columns.lines.append(line)
        columns.keys.append(plain[start:of_payload].decode())
        columns.payloads.append(text.decode())
        columns.rejections.append(plain[of_rejection:end].decode())
        if is_old:
            columns.hashes.append(hashed)
        else:
            columns.hashes.append(plain[end : end + hashed] or sha256(text).digest())
            end += hashed
    if end != len(plain):
        raise EncodingError(f"records end at byte {end} of {len(plain)}")
    return columns


def _inflate(encoded: bytes, version: int) -> bytes:
    """Give what follows the prefix."""
    if version in (_PLAIN, _OLD_PLAIN):
        return encoded[_PREFIX.size :]
    if version not in (_DEFLATED, _OLD_DEFLATED):
        raise EncodingError(f"records are encoded in version {version}, not {_DEFLATED}")
    inflater = zlib.decompressobj()
    plain = inflater.decompress(memoryview(encoded)[_PREFIX.size :], _LARGEST_PLAIN_BYTES)
    if not inflater.eof or inflater.unused_data:
        raise EncodingError(f"records are cut short, or exceed {_LARGEST_PLAIN_BYTES} bytes")
    return plain


def split(headers: Iterable[SubmissionHeader], records: bytes) -> list[bytes]:
    """Cut joined records into those of each submission.

    Raises:
        EncodingError: the headers announce other lengths, or more records than fit into them.
    """
    parts: list[bytes] = []
    position = 0
    for header in headers:
        at_least = header.records * _ENTRY.size / _BEST_DEFLATE_RATIO
        fits = header.records > 0 and at_least < header.length
        if not fits and not header.malformed:
            raise EncodingError(f"{header.length} bytes cannot hold {header.records} records")
        parts.append(records[position : position + header.length])
        position += header.length
    if position != len(records):
        raise EncodingError(f"headers announce {position} bytes, {len(records)} came")
    return parts
