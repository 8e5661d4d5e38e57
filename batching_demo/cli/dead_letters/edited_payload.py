"""The corrected payload of a retry, checked before anything is submitted."""

import sys
from typing import IO, Any

import click

from batching_demo.contracts.limits import MAX_RECORD_BYTES
from batching_demo.records.json_text import WHITE_SPACE, canonical, parse_object
from batching_demo.records.rejection import RejectionError


class PayloadFile(click.File):
    """A file to read a payload from; standard input may be closed."""

    def __init__(self) -> None:
        # Else a call that is refused for another reason leaves it open.
        super().__init__("rb", lazy=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Open the file."""
        if value == "-" and sys.stdin is None:
            self.fail("standard input is closed: name a file", param, ctx)
        return super().convert(value, param, ctx)


def read_payload(file: IO[bytes]) -> str:
    """Read the one JSON object of a file.

    Raises:
        BadParameter: The file holds none that can be stored; the message names file and place.
    """
    try:
        raw = file.read(MAX_RECORD_BYTES + 1)
    except OSError as error:
        raise _refusal(file, error.strerror or str(error)) from None
    if len(raw) > MAX_RECORD_BYTES:
        raise _refusal(file, f"a record has at most {MAX_RECORD_BYTES} bytes, this file has more")
    try:
        text = raw.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise _refusal(file, f"not UTF-8 at byte {error.start + 1}") from None
    payload = text.strip(WHITE_SPACE)
    if not payload:
        raise _refusal(file, "it is empty, expected a JSON object")
    try:
        canonical(parse_object(payload))
    except RejectionError as rejection:
        raise _refusal(file, _explain(rejection, text)) from None
    return payload


def _explain(rejection: RejectionError, text: str) -> str:
    if rejection.position is None:
        return f"{rejection.detail} ({rejection.code})"
    position = rejection.position + len(text) - len(text.lstrip(WHITE_SPACE))
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    return f"line {line}, column {column}: {rejection.detail} ({rejection.code})"


def _refusal(file: IO[bytes], message: str) -> click.BadParameter:
    return click.BadParameter(f"{file.name}: {message}", param_hint="--edit")
