"""Read the arguments of a `submit` signal, whatever they are."""

from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError

from batching_demo.batcher_service.buffer import Submission
from batching_demo.contracts import EncodingError, SubmissionHeader, split

_headers = TypeAdapter(list[SubmissionHeader])


class MalformedSubmitError(Exception):
    """The arguments are not headers and their records; the message says what is wrong."""


def read_submit(arguments: Sequence[object], now: float) -> list[Submission]:
    """Turn the arguments of a `submit` signal into submissions.

    Raises:
        MalformedSubmitError: they are something else.
    """
    if len(arguments) != 2:
        raise MalformedSubmitError(f"expected headers and records, got {len(arguments)} arguments")
    raw_headers, records = arguments
    if not isinstance(records, bytes):
        raise MalformedSubmitError(f"records are {type(records).__name__}, expected bytes")
    try:
        headers = _headers.validate_python(raw_headers)
        parts = split(headers, records)
    except ValidationError as error:
        raise MalformedSubmitError(_first_error(error)) from None
    except EncodingError as error:
        raise MalformedSubmitError(str(error)) from None
    return [Submission(header, part, now) for header, part in zip(headers, parts, strict=True)]


def _first_error(error: ValidationError) -> str:
    """Name the field and what is wrong with it, without its value."""
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "headers"
    return f"{place}: {first['msg']}"
