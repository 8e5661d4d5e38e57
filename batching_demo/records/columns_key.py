"""Make the idempotency key of a record from its key columns."""

from collections.abc import Mapping, Sequence

from batching_demo.records.json_text import integer_text, is_number
from batching_demo.records.key import check_key
from batching_demo.records.rejection import RejectionError, shown

SEPARATOR = "|"
ESCAPE = "\\"


def key_of(members: Mapping[str, object], columns: Sequence[str]) -> str:
    """Join the texts of the key columns, so that no two different lists of texts are joined alike.

    The text of a single column is the key as it stands.

    Raises:
        RejectionError: a key column has no usable value, or the key is too long.
    """
    parts = [_text(members, column) for column in columns]
    key = parts[0] if len(parts) == 1 else SEPARATOR.join(map(_escaped, parts))
    check_key(key)
    return key


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
    raise RejectionError("key_type", f"key column {shown(column)} is neither text nor an integer")
