"""Validate a JSON object without changing it, and bring it into one canonical form.

Numbers are never converted: they are read as their source text between two marks, which no string
can contain, since a lone surrogate is refused before.
"""

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from math import isinf
from typing import Never

from batching_demo.records.rejection import RejectionError

WHITE_SPACE = " \t\r\n"
"""What JSON calls white space."""
MAX_DEPTH = 500
MAX_INTEGER_DIGITS = 4_000

_MARK = "\udfff"
_INTEGER = re.compile(f"{_MARK}(-?[0-9]+){_MARK}")
_ESCAPE = re.compile(r"\\.", re.DOTALL)
# A NUL, a high surrogate that is not before a low one, or the reverse.
_UNSTORABLE = re.compile(
    r"\\u(?:0000|[dD][89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..\\u)[dD][c-fC-F])"
)


def parse_object(text: str) -> dict[str, object]:
    """Read one JSON object, its numbers as marked source text.

    Raises:
        RejectionError: The text is not an object that Postgres can store and give back unchanged.
    """
    # A bracket inside a string only makes the exact, slower count necessary.
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(text)
    value = _decoded(text)
    if "\\u" in text:
        _check_escapes(text)
    if not isinstance(value, dict):
        raise RejectionError("not_an_object", "the line is JSON but not an object")
    return value


def canonical(members: Mapping[str, object]) -> str:
    """Write an object in the one form that its content hash is made of.

    Names are sorted at every depth, nothing but text that must be is escaped, numbers keep their
    source text.
    """
    try:
        encoded = _ENCODER.encode(members)
    except RecursionError:
        raise _too_deep() from None
    return encoded.replace(f'"{_MARK}', "").replace(f'{_MARK}"', "")


def content_hash(payload: str, canonical_payload: str) -> bytes:
    """Hash the canonical payload; empty if the payload as it stands is that, which needs none."""
    return b"" if payload == canonical_payload else sha256(canonical_payload.encode()).digest()


def is_number(value: object) -> bool:
    """Return whether a parsed value is a number."""
    return isinstance(value, str) and value.startswith(_MARK)


def integer_text(value: object) -> str | None:
    """Return the decimal text of a parsed integer, None for anything else."""
    match = _INTEGER.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    return "0" if match[1] == "-0" else match[1]


def _decoded(text: str) -> object:
    try:
        value, end = _DECODER.raw_decode(text)
    except json.JSONDecodeError as error:
        raise _invalid(error.msg, error.pos) from None
    except RecursionError:
        raise _too_deep() from None
    if end < len(text):
        raise _invalid("Extra data", end)
    return value


def _check_depth(text: str) -> None:
    depth = 0
    outside = "".join(_ESCAPE.sub("", text).split('"')[::2])
    for bracket in re.finditer(r"[\[\]{}]", outside):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > MAX_DEPTH:
            raise _too_deep()


def _check_escapes(text: str) -> None:
    # An escaped backslash escapes nothing.
    match = _UNSTORABLE.search(text.replace(r"\\", "  "))
    if match is None:
        return
    if match[0] == r"\u0000":
        raise RejectionError("nul", "a NUL character", match.start())
    raise RejectionError("lone_surrogate", "half a surrogate pair", match.start())


def _invalid(message: str, position: int) -> RejectionError:
    return RejectionError("invalid_json", message.rstrip(": "), position)


def _too_deep() -> RejectionError:
    return RejectionError("too_deep", f"nested more than {MAX_DEPTH} levels deep")


def _integer(text: str) -> str:
    if len(text) > MAX_INTEGER_DIGITS and (digits := len(text.lstrip("-"))) > MAX_INTEGER_DIGITS:
        raise RejectionError(
            "integer_too_long", f"an integer of {digits} digits, at most {MAX_INTEGER_DIGITS}"
        )
    return f"{_MARK}{text}{_MARK}"


def _decimal(text: str) -> str:
    if isinf(float(text)):
        raise RejectionError("not_finite", "a number too large for a double")
    return f"{_MARK}{text}{_MARK}"


def _constant(text: str) -> Never:
    raise RejectionError("not_finite", f"{text} is not JSON")


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise RejectionError("duplicate_name", "an object has two members of the same name")
    return members


_DECODER = json.JSONDecoder(
    parse_int=_integer,
    parse_float=_decimal,
    parse_constant=_constant,
    object_pairs_hook=_members,
)
_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False
)
