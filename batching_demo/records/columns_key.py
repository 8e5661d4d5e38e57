"""Make the idempotency key of a record from its key columns."""

from collections.abc import Mapping, Sequence

from batching_demo.records.json_text import canonical, integer_text, is_number
from batching_demo.records.key import check_key
from batching_demo.records.rejection import RejectionError, shown

SEPARATOR = "|"
ESCAPE = "\\"
LONGEST_LABEL = 128
"""Characters."""
TYPE = "key_type"
"""The rejection of a value that is neither text nor an integer."""


def key_of(members: Mapping[str, object], columns: Sequence[str]) -> str:
    """Join the texts of the key columns, so that no two different lists of texts are joined alike.

    The text of a single column is the key as it stands.

    Raises:
        RejectionError: A key column has no usable value, or the key is too long.
    """
    parts = [_text(members, column) for column in columns]
    key = parts[0] if len(parts) == 1 else SEPARATOR.join(map(_escaped, parts))
    check_key(key)
    return key


def label_of(members: Mapping[str, object], columns: Sequence[str]) -> str:
    """Return what names a record whose key Postgres takes from the payload, which may be any JSON.

    Raises:
        RejectionError: A key column has no value.
    """
    return SEPARATOR.join(_label(members, column) for column in columns)[:LONGEST_LABEL]


def _label(members: Mapping[str, object], column: str) -> str:
    try:
        return _text(members, column)
    except RejectionError as rejection:
        if rejection.code != TYPE:
            raise
        # The value as JSON, without braces and name.
        return canonical({"": members[column]})[len('{"":') : -1]


def _escaped(part: str) -> str:
    return part.replace(ESCAPE, ESCAPE + ESCAPE).replace(SEPARATOR, ESCAPE + SEPARATOR)


def _text(members: Mapping[str, object], column: str) -> str:
    value = members.get(column)
    text = integer_text(value) if is_number(value) else value
    if isinstance(text, str):
        if not text or text.isspace():
            raise RejectionError("key_empty", f"key column {shown(column)} is empty or blank")
        return text
    if column not in members:
        raise RejectionError("key_missing", f"no key column {shown(column)}")
    if value is None:
        raise RejectionError("key_null", f"key column {shown(column)} is null")
    raise RejectionError(TYPE, f"key column {shown(column)} is neither text nor an integer")
