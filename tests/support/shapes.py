"""Compare what a command prints as JSON with what docs/api.md says of it."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from tests.support.root import ROOT

PAGE = ROOT / "docs" / "api.md"
KINDS: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "list": list,
    "text": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}
_HEADING = re.compile(r"`([^`]+)`")
_ROW = re.compile(r"\| `(\.[^`]*)` \| ([^|]+) \|")


@cache
def documented() -> dict[str, dict[str, str]]:
    """Return the fields of every command, each with its type."""
    shapes: dict[str, dict[str, str]] = {}
    for part in PAGE.read_text().partition("## JSON of the commands")[2].split("\n### ")[1:]:
        heading, _, body = part.partition("\n")
        names = _HEADING.findall(heading)
        for name in names:
            shapes[name] = dict(_of(name, body))
    return shapes


def _of(command: str, body: str) -> Iterator[tuple[str, str]]:
    """Yield the fields of one command from a table that may be for several."""
    for field, kind in _ROW.findall(body):
        kind, _, only = kind.partition(", only by ")
        if not only or only.strip("` ") in command:
            yield field, kind


def parsed(command: str, printed: str) -> Any:
    """Parse what a command has printed, which is JSON of the documented shape."""
    document = json.loads(printed)
    assert list(differences(document, documented()[command])) == []
    return document


def differences(value: Any, shape: Mapping[str, str], at: str = ".") -> Iterator[str]:
    """Yield every way in which a value differs from its documented shape."""
    if at not in shape:
        yield f"{at} is not documented"
    elif not any(_fits(value, kind) for kind in shape[at].split(" or ")):
        yield f"{at} is {value!r}, not {shape[at]}"
    elif isinstance(value, list):
        for item in value:
            yield from differences(item, shape, f"{at}[]")
    elif isinstance(value, dict):
        start = at if at == "." else f"{at}."
        named = {field.removeprefix(start) for field in shape if _is_child(field, start)}
        for name in named - value.keys() - {"*"}:
            yield f"{start}{name} is missing"
        for name, item in value.items():
            yield from differences(item, shape, f"{start}{'*' if '*' in named else name}")


def _is_child(field: str, start: str) -> bool:
    return field.startswith(start) and bool(re.fullmatch(r"\w+|\*", field.removeprefix(start)))


def _fits(value: Any, kind: str) -> bool:
    return isinstance(value, KINDS[kind]) and not (kind != "boolean" and isinstance(value, bool))
