"""What is odd about the beginning of a CSV file, and what its owner can do."""

import csv
import re
from collections.abc import Sequence
from itertools import islice

from batching_demo.contracts.counts import count
from batching_demo.main_service.files.csv_format import rows

_DELIMITERS = {",": "','", ";": "';'", "\t": "'\\t'", "|": "'|'"}
"""Those that are looked for, as `--delimiter` takes them."""
_ROWS = 20
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)

_Row = tuple[int, list[str]]
"""Line and fields."""


def check_first_line(text: str) -> None:
    """Check that a header is not something that a spreadsheet program puts before the header.

    Raises:
        ValueError: It is; the message says what to do.
    """
    if text.startswith("\ufeff"):
        raise ValueError("the header begins with a second byte-order mark; take it out")
    if separator := _SEPARATOR_LINE.fullmatch(text.rstrip("\r\n")):
        delimiter = _DELIMITERS.get(separator[1], f"'{separator[1]}'")
        raise ValueError(
            f"this is no header but sep={separator[1]!r}, which spreadsheet programs write; take"
            f" the line out (tail -n +2) and add --delimiter {delimiter}"
        )


def hint(text: str, delimiter: str, line: int) -> str:
    """Return a hint if the header does not look like that of the rows below it, else an empty text.

    Args:
        text: The beginning of a file, from its header on.
        delimiter: What is taken for the delimiter.
        line: Line of the header.
    """
    found = _rows(text, delimiter, line)
    if not found:
        return ""
    header, others = found[0][1], found[1:]
    if len(header) > 1 and all(len(fields) == len(header) for _, fields in others):
        return _title(header, others)
    for other, shown in _DELIMITERS.items():
        columns = _columns(_rows(text, other, line))
        if columns > 1:
            return (
                f"with --delimiter {shown} the header and all lines below it have {columns} fields"
            )
    return _title(header, others)


def _rows(text: str, delimiter: str, line: int) -> list[_Row]:
    """Return the first rows; none if the text is no CSV with this delimiter."""
    try:
        return [
            (number, fields) for number, _, fields in islice(rows(text, delimiter, line), _ROWS)
        ]
    except csv.Error:
        return []


def _columns(found: Sequence[_Row]) -> int:
    """Return how many fields all rows have; 0 if they differ."""
    numbers = {len(fields) for _, fields in found}
    return numbers.pop() if len(numbers) == 1 else 0


def _title(header: Sequence[str], others: Sequence[_Row]) -> str:
    """Return a hint if the header looks like a title, and a line below it like the header."""
    named = sum(bool(name.strip()) for name in header)
    if any(len(fields) == named for _, fields in others):
        return ""
    for line, fields in others:
        if len(fields) > max(1, named) and all(field.strip() for field in fields):
            return (
                f"the first line names {count(named, 'column')}, line {line} has {len(fields)}: if"
                f" line {line} is the header, take out what is above it (tail -n +{line})"
            )
    return ""
