"""Refuse JSON that is laid out in another way than an object a line, and say how to convert it."""

import json
import shlex
from os import SEEK_END
from typing import BinaryIO

from batching_demo.contracts.limits import KIB
from batching_demo.main_service.files.source_file import STANDARD_INPUT_NAME, is_gzip
from batching_demo.main_service.files.structure import Record, StructureError
from batching_demo.records.json_text import WHITE_SPACE

_EDGE_BYTES = 4 * KIB
_FIRST_BYTES = 1024 * KIB
"""Of the beginning of a file. The first object is looked for in them."""
_decoder = json.JSONDecoder()


def check_layout(file: BinaryIO, first: Record, records: int, name: str) -> None:
    """Look at the first line of a file and at its end.

    Args:
        file: The file.
        first: Its first line that is not blank, which may be of any length.
        records: How many such lines it has.
        name: What people call it.

    Raises:
        StructureError: It is one array, or its objects are not a line each.
    """
    line, start, end = first
    first_line = _read(file, start, min(_EDGE_BYTES, end - start))
    first_line += _read(file, max(start, end - _EDGE_BYTES), min(_EDGE_BYTES, end - start))
    size = file.seek(0, SEEK_END)
    file_end = _read(file, max(start, size - _EDGE_BYTES), _EDGE_BYTES)
    if _is_array(first_line.strip(WHITE_SPACE), file_end.rstrip(WHITE_SPACE), records):
        cause = "the file is one JSON array, not an object a line"
        raise StructureError(line, f"{cause}; {_conversion(name, '.[]')}")
    if not first_line.lstrip(WHITE_SPACE).startswith("{"):
        return
    if cause := _other_layout(_read(file, start, _FIRST_BYTES)):
        raise StructureError(line, f"{cause}; {_conversion(name, '.')}")


def _read(file: BinaryIO, start: int, length: int) -> str:
    file.seek(start)
    return file.read(length).decode(errors="ignore")


def _is_array(first_line: str, file_end: str, lines: int) -> bool:
    """Return whether a file is one JSON array rather than lines of which some are arrays."""
    is_enclosed = first_line.startswith("[") and file_end.endswith("]")
    return is_enclosed and (lines == 1 or not first_line.endswith("]"))


def _other_layout(text: str) -> str:
    """Return how objects are laid out, if not one a line; empty if they are."""
    text = text.lstrip(WHITE_SPACE)
    first_line, _, _ = text.partition("\n")
    try:
        _, end = _decoder.raw_decode(text)
    except (ValueError, RecursionError):
        # Too long to be seen whole, or not JSON.
        goes_on = first_line.strip(WHITE_SPACE) == "{" and text[1:].lstrip(WHITE_SPACE)[:1] == '"'
        end = len(text) if goes_on else 0
    if end > len(first_line):
        return "an object takes several lines (pretty-printed JSON), not one line each"
    if end and text[end : len(first_line)].lstrip(WHITE_SPACE).startswith("{"):
        return "several objects share the line, not an object a line"
    return ""


def _conversion(name: str, jq_filter: str) -> str:
    """Return the command that makes an object a line of a file."""
    command, file = f"jq -c {shlex.quote(jq_filter)}", shlex.quote(name)
    if name == STANDARD_INPUT_NAME:
        return f"convert it: pipe it through {command}"
    if is_gzip(name):
        return f"convert it: gzip -dc {file} | {command} > lines.ndjson"
    return f"convert it: {command} {file} > lines.ndjson"
