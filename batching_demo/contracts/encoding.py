"""How records travel: as bytes that preparation encodes once and the write decodes once.

Several submissions travel together: their bytes joined, their headers beside them. `join` makes
this of submissions, and `split` takes it apart. Where only one value can travel, as in the result
of an activity, `frame` puts the headers in front of the bytes. `pack` joins and frames.
"""

import json
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256

from pydantic import TypeAdapter

from batching_demo.contracts.limits import KIB
from batching_demo.contracts.messages import Submission, SubmissionHeader


@dataclass(frozen=True, slots=True)
class PreparedRecord:
    """One record that is ready to be stored, or already rejected with its reason."""

    key: str
    line: int
    payload: str
    """JSON text of the object; of a rejected record the raw text."""
    content_hash: bytes = b""
    """SHA-256 of the canonical payload. Empty if the payload is canonical as it stands: then
    `decode_records` computes the hash, so that it need not travel."""
    rejection: str = ""
    """A reason, a colon and a detail; empty if the record is not rejected."""


@dataclass(frozen=True, slots=True)
class RecordColumns:
    """Decoded records, a list for each field: an object for each record would take longer."""

    keys: list[str]
    lines: list[int]
    payloads: list[str]
    hashes: list[bytes]
    rejections: list[str]


class EncodingError(ValueError):
    """The bytes are no encoded records, or the headers do not fit them."""


_PREFIX = struct.Struct("<BI")
"""The encoding, and the number of records."""
_ENTRY = struct.Struct("<QIIHB")
"""The line of a record, and the lengths of its key, payload, rejection and hash."""
# 1 and 2 were the formats of a time before the first release.
_PLAIN, _DEFLATED = 3, 4
_DEFLATE_LEVEL = 1
"""Flights shrink to a fifth in 1.5 us each; better levels take longer than they save."""
_BEST_DEFLATE_RATIO = 1032
"""No bytes shrink further. So the bytes of a submission bound the number of its records."""
LARGEST_PLAIN_BYTES = 1024 * KIB
"""Inflated bytes of a submission. The bound keeps a few bytes from filling the memory."""


def encode_records(records: Sequence[PreparedRecord]) -> bytes:
    """Return records as bytes: a prefix, and behind it what `plain_records` returns, deflated."""
    return encode_plain(plain_records(records), len(records))


def plain_records(records: Sequence[PreparedRecord]) -> bytes:
    """Return an entry of lengths for each record, and behind them all their texts and hashes."""
    entries = []
    texts: list[bytes] = []
    for record in records:
        parts = _parts(record)
        entries.append(_ENTRY.pack(record.line, *map(len, parts)))
        texts += parts
    return b"".join(entries + texts)


def encode_plain(plain: bytes, records: int) -> bytes:
    """Return plain records as bytes. They are deflated if that makes them smaller.

    Args:
        plain: At most `LARGEST_PLAIN_BYTES`, or `decode_records` refuses them.
        records: Their number.
    """
    deflated = zlib.compress(plain, _DEFLATE_LEVEL)
    if len(deflated) < len(plain):
        return _PREFIX.pack(_DEFLATED, records) + deflated
    return _PREFIX.pack(_PLAIN, records) + plain


def encoded_size(record: PreparedRecord) -> int:
    """Return how many bytes a record adds to its submission before the submission is deflated."""
    return _ENTRY.size + sum(map(len, _parts(record)))


def _parts(record: PreparedRecord) -> tuple[bytes, bytes, bytes, bytes]:
    """Return key, payload, rejection and hash, in the order of the lengths of `_ENTRY`."""
    texts = record.key.encode(), record.payload.encode(), record.rejection.encode()
    return *texts, record.content_hash


def decode_records(encoded: bytes) -> RecordColumns:
    """Return the records that `encode_records` has encoded, with the hashes that did not travel.

    Raises:
        EncodingError: The bytes were not made by `encode_records`.
    """
    try:
        return _decode(encoded)
    except (struct.error, UnicodeDecodeError, IndexError, zlib.error) as error:
        raise EncodingError(f"not encoded records ({type(error).__name__})") from None


def _decode(encoded: bytes) -> RecordColumns:
    encoding, count = _PREFIX.unpack_from(encoded)
    plain = _inflate(encoded, encoding)
    end = count * _ENTRY.size
    columns = RecordColumns([], [], [], [], [])
    for line, key, payload, rejection, hashed in _ENTRY.iter_unpack(memoryview(plain)[:end]):
        start, of_payload, of_rejection = end, end + key, end + key + payload
        of_hash = of_rejection + rejection
        end = of_hash + hashed
        text = plain[of_payload:of_rejection]
        columns.lines.append(line)
        columns.keys.append(plain[start:of_payload].decode())
        columns.payloads.append(text.decode())
        columns.rejections.append(plain[of_rejection:of_hash].decode())
        columns.hashes.append(plain[of_hash:end] or sha256(text).digest())
    if end != len(plain):
        raise EncodingError(f"records end at byte {end} of {len(plain)}")
    return columns


def _inflate(encoded: bytes, encoding: int) -> bytes:
    """Return what follows the prefix, inflated.

    Raises:
        EncodingError: The encoding is unknown, or the bytes are cut short or inflate too far.
    """
    if encoding == _PLAIN:
        return encoded[_PREFIX.size :]
    if encoding != _DEFLATED:
        raise EncodingError(f"records are in encoding {encoding}, not {_PLAIN} or {_DEFLATED}")
    inflater = zlib.decompressobj()
    plain = inflater.decompress(memoryview(encoded)[_PREFIX.size :], LARGEST_PLAIN_BYTES)
    if not inflater.eof or inflater.unused_data:
        raise EncodingError(f"records are cut short, or exceed {LARGEST_PLAIN_BYTES} bytes")
    return plain


def join(submissions: Sequence[Submission]) -> tuple[list[SubmissionHeader], bytes]:
    """Return the headers of submissions, and their records joined in the same order."""
    headers = [submission.header for submission in submissions]
    return headers, b"".join([submission.records for submission in submissions])


def split(headers: Iterable[SubmissionHeader], records: bytes) -> list[Submission]:
    """Return the submissions that `join` has joined.

    Raises:
        EncodingError: The lengths in the headers do not add up to the bytes, or a header announces
            more records than its bytes can hold.
    """
    submissions: list[Submission] = []
    position = 0
    for header in headers:
        at_least = header.records * _ENTRY.size / _BEST_DEFLATE_RATIO
        fits = header.records > 0 and at_least < header.length
        if not fits and not header.malformed:
            raise EncodingError(f"{header.length} bytes cannot hold {header.records} records")
        end = position + header.length
        submissions.append(Submission(header, records[position:end]))
        position = end
    if position != len(records):
        raise EncodingError(f"headers announce {position} bytes, {len(records)} came")
    return submissions


def frame(header: object, records: bytes) -> bytes:
    """Return the header as a line of JSON, with the records behind it."""
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":"))
    # The error handler writes half a surrogate pair as JSON does.
    return text.encode(errors="backslashreplace") + b"\n" + records


def unframe(framed: bytes) -> tuple[bytes, bytes]:
    """Return the line of JSON and the bytes behind it, as `frame` has put them together."""
    header, _, records = framed.partition(b"\n")
    return header, records


def pack(submissions: Sequence[Submission]) -> bytes:
    """Return submissions as one value: the framed headers and the joined records."""
    headers, records = join(submissions)
    return frame([asdict(header) for header in headers], records)


def unpack(packed: bytes) -> list[Submission]:
    """Return the submissions that `pack` has packed."""
    header, records = unframe(packed)
    return split(_headers.validate_json(header), records)


_headers = TypeAdapter(list[SubmissionHeader])
