"""The name of a table, read as SQL reads it."""

import re

PART = r'(?:"(?:[^"\0]|"")+"|[^\W\d][\w$]*)'
NAME = re.compile(rf"({PART})(?:\.({PART}))?")
LONGEST_NAME = 63
"""Bytes of a name; Postgres cuts what is longer."""


def parse_table_name(text: str) -> tuple[str, str] | None:
    """Return schema and name as the catalogs have them; None if the text is no such name.

    The schema is empty if the text has none. As in SQL, a name without quotes is in small letters.
    """
    found = NAME.fullmatch(text.strip())
    if found is None:
        return None
    first, second = found.groups()
    return (_unquoted(first), _unquoted(second)) if second else ("", _unquoted(first))


def quote_table_name(schema: str, name: str) -> str:
    """Return the text that `parse_table_name` reads as these."""
    return ".".join(_quoted(part) for part in (schema, name) if part)


def _unquoted(part: str) -> str:
    if part.startswith('"'):
        name = part[1:-1].replace('""', '"')
    else:
        # Of UTF-8, Postgres turns only these into small letters.
        name = re.sub("[A-Z]", lambda letter: letter[0].lower(), part)
    return name.encode()[:LONGEST_NAME].decode(errors="ignore")


def _quoted(part: str) -> str:
    if re.fullmatch(r"[a-z_][a-z0-9_$]*", part):
        return part
    escaped = part.replace('"', '""')
    return f'"{escaped}"'
