"""Read any signal into submissions. What is malformed becomes a submission that is refused."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from pydantic import TypeAdapter, ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadConverter

from batching_demo.contracts.encoding import EncodingError, split
from batching_demo.contracts.limits import MAX_BATCH_BYTES
from batching_demo.contracts.messages import Submission, SubmissionHeader
from batching_demo.contracts.names import SUBMIT_SIGNAL
from batching_demo.contracts.payloads import is_encrypted, key_missing

SHOWN_CHARACTERS = 4096
LONGEST_NAME = 1_100
"""Characters. No workflow id has more than 1,000, and a submission id adds some to it."""
MOST_NAMED = 100
"""Requesters of one malformed signal that are answered."""
MOST_RECORDS = 10_000
"""More are not believed of a malformed header. Each costs a character of the answer."""

NewId = Callable[[], str]
_headers = TypeAdapter(list[SubmissionHeader])
# JSON can spell lone surrogates, which are no text to anybody else.
_NO_TEXT = re.compile("[\0\ud800-\udfff]")


def read_signal(
    name: str,
    payloads: Sequence[Payload],
    converter: PayloadConverter,
    now: float,
    new_id: NewId,
) -> list[Submission]:
    """Return the submissions of any signal; whatever is none becomes one that is refused.

    Args:
        name: Of the signal.
        payloads: Its arguments as they came.
        converter: Of the workflow.
        now: Seconds since the epoch.
        new_id: Makes an id for a submission that has none.

    Raises:
        UndecodableError: An argument is encrypted, and this worker has no keys. The workflow task
            fails, and nothing is lost: one with the keys reads the signal later.
    """
    if locked := next(filter(is_encrypted, payloads), None):
        raise key_missing(locked)
    if name != SUBMIT_SIGNAL:
        return refuse_signal(f"unknown signal {name[:100]!r}", payloads, now, new_id)
    try:
        arguments = converter.from_payloads(payloads)
    except Exception as error:  # whatever a converter raises
        reason = f"arguments cannot be decoded ({type(error).__name__})"
        return refuse_signal(reason, payloads, now, new_id)
    return read_submit(arguments, now, new_id)


def read_submit(arguments: Sequence[object], now: float, new_id: NewId) -> list[Submission]:
    """Return the submissions that the arguments of a `submit` signal hold.

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
        _check(headers)
        submissions = split(headers, records)
    except ValidationError as error:
        return _refuse(arguments, _first_error(error), now, new_id)
    except EncodingError as error:
        return _refuse(arguments, str(error), now, new_id)
    return [_bounded(submission, now) for submission in submissions]


def refuse_signal(
    reason: str, payloads: Sequence[Payload], now: float, new_id: NewId
) -> list[Submission]:
    """Return the refused submission that stands for a signal whose arguments mean nothing here."""
    shown = b" ".join(payload.data for payload in payloads)[:SHOWN_CHARACTERS]
    return [_refusal(_anonymous(new_id), reason, shown, now)]


def _check(headers: Sequence[SubmissionHeader]) -> None:
    """Check what the types do not say.

    Raises:
        EncodingError: A requester may not send such a header.
    """
    if not headers:
        raise EncodingError("no headers")
    for header in headers:
        if header.malformed:
            raise EncodingError("malformed is for the batcher to say")
        texts = (
            header.submission_id,
            header.requester,
            header.source,
            header.run_label,
            header.target,
        )
        if not all(map(_is_name, texts)):
            raise EncodingError("a header's text is too long, or no text")


def _is_name(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_NAME and not _NO_TEXT.search(value)


def _bounded(submission: Submission, now: float) -> Submission:
    """Refuse a submission that would make what is carried to the next run too large."""
    size = submission.size
    if size <= MAX_BATCH_BYTES:
        return replace(submission, received_at=now)
    reason = f"a submission of {size} bytes, at most {MAX_BATCH_BYTES} are taken"
    return _refusal(submission.header, reason, submission.records[:SHOWN_CHARACTERS], now)


def _refuse(
    arguments: Sequence[object], reason: str, now: float, new_id: NewId
) -> list[Submission]:
    shown = json.dumps(arguments, default=repr)[:SHOWN_CHARACTERS].encode()
    named = list(islice(_salvaged(arguments), MOST_NAMED))
    return [_refusal(header, reason, shown, now) for header in named or [_anonymous(new_id)]]


def _salvaged(arguments: Sequence[object]) -> Iterator[SubmissionHeader]:
    for argument in arguments:
        for candidate in argument if isinstance(argument, list) else [argument]:
            if header := _salvage(candidate):
                yield header


def _salvage(candidate: object) -> SubmissionHeader | None:
    """Return who sent something, if it says so."""
    if not isinstance(candidate, dict):
        return None
    submission_id, requester = candidate.get("submission_id"), candidate.get("requester")
    if not (_is_name(submission_id) and _is_name(requester)):
        return None
    records = candidate.get("records")
    believed = records if isinstance(records, int) and 0 < records <= MOST_RECORDS else 1
    return SubmissionHeader(str(submission_id), str(requester), believed, 0)


def _anonymous(new_id: NewId) -> SubmissionHeader:
    return SubmissionHeader(f"malformed/{new_id()}", "", 1, 0)


def _refusal(header: SubmissionHeader, reason: str, shown: bytes, now: float) -> Submission:
    refused = replace(header, malformed=reason, length=len(shown), source="signal")
    return Submission(refused, shown, now)


def _first_error(error: ValidationError) -> str:
    """Return the field and what is wrong with it, without its value."""
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "headers"
    return f"{place}: {first['msg']}"
