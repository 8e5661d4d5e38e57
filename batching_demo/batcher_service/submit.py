"""Read what signals bring, whatever it is: what is no submission is refused by one."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from pydantic import TypeAdapter, ValidationError

from batching_demo.batcher_service.buffer import Submission
from batching_demo.contracts import EncodingError, SubmissionHeader, split

SHOWN_CHARACTERS = 4096
MOST_RECORDS = 10_000
"""More are not believed of a malformed header; each costs a letter in the answer."""

NewId = Callable[[], str]
_headers = TypeAdapter(list[SubmissionHeader])


def read_submit(arguments: Sequence[object], now: float, new_id: NewId) -> list[Submission]:
    """Turn the arguments of a `submit` signal into submissions.

    What is malformed becomes submissions that are refused whole, in the name of every requester
    that can be made out, so that nothing is dropped in silence.
    """
    if len(arguments) != 2:
        reason = f"expected headers and records, got {len(arguments)} arguments"
        return _refuse(arguments, reason, now, new_id)
    raw_headers, records = arguments
    if not isinstance(records, bytes):
        reason = f"records are {type(records).__name__}, expected bytes"
        return _refuse(arguments, reason, now, new_id)
    try:
        headers = _headers.validate_python(raw_headers)
        parts = split(headers, records)
    except ValidationError as error:
        return _refuse(arguments, _first_error(error), now, new_id)
    except EncodingError as error:
        return _refuse(arguments, str(error), now, new_id)
    if not headers:
        return _refuse(arguments, "no headers", now, new_id)
    return [Submission(header, part, now) for header, part in zip(headers, parts, strict=True)]


def refuse_signal(name: str, payloads: Iterable[bytes], now: float, new_id: NewId) -> Submission:
    """Turn a signal of an unknown name into a submission that is refused."""
    shown = b" ".join(payloads)[:SHOWN_CHARACTERS]
    return _refusal(_anonymous(new_id), f"unknown signal {name[:100]!r}", shown, now)


def _refuse(
    arguments: Sequence[object], reason: str, now: float, new_id: NewId
) -> list[Submission]:
    shown = json.dumps(arguments, default=repr)[:SHOWN_CHARACTERS].encode()
    named = [
        header
        for argument in arguments
        for candidate in (argument if isinstance(argument, list) else [argument])
        if (header := _salvage(candidate))
    ]
    return [_refusal(header, reason, shown, now) for header in named or [_anonymous(new_id)]]


def _salvage(candidate: object) -> SubmissionHeader | None:
    """Make out who sent something, if it says so."""
    if not isinstance(candidate, dict):
        return None
    submission_id, requester = candidate.get("submission_id"), candidate.get("requester")
    if not isinstance(submission_id, str) or not isinstance(requester, str):
        return None
    records = candidate.get("records")
    believed = records if isinstance(records, int) and 0 < records <= MOST_RECORDS else 1
    return SubmissionHeader(submission_id[:1000], requester[:1000], believed, 0)


def _anonymous(new_id: NewId) -> SubmissionHeader:
    return SubmissionHeader(f"malformed/{new_id()}", "", 1, 0)


def _refusal(header: SubmissionHeader, reason: str, shown: bytes, now: float) -> Submission:
    refused = replace(header, malformed=reason, length=len(shown), source="signal")
    return Submission(refused, shown, now)


def _first_error(error: ValidationError) -> str:
    """Name the field and what is wrong with it, without its value."""
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "headers"
    return f"{place}: {first['msg']}"
