"""Read the request of a client that has no workflow, and answer it: plain JSON on both sides."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from batching_demo.contracts.direct import (
    DEFAULT_SOURCE,
    MAX_REQUEST_BYTES,
    MAX_REQUEST_RECORDS,
    NAME_NEEDED,
    RECORDS_PER_SUBMISSION,
    is_name,
)
from batching_demo.contracts.messages import SubmissionHeader, json_size
from batching_demo.contracts.targets import RECORDS_TARGET
from batching_demo.requester.record_texts import RecordError, RecordTexts, record_texts
from batching_demo.requester.records import Record, RecordResult

FIELDS = ("records", "request_id", "source", "target")
RECORD_FIELDS = ("key", "payload", "line", "rejection")
AS_TEXT = "send the payload as its JSON text, to have only its record rejected"
SHOWN_CHARACTERS = 100
"""Of a name that there is not, in an error."""


class RequestError(ValueError):
    """A request that cannot be read; the message names the place in it."""


def read_json(text: bytes) -> object:
    """Return the request that a client has sent as JSON.

    Raises:
        RequestError: It cannot be read, or readers of JSON would read it differently.
    """
    try:
        return json.loads(text, object_pairs_hook=_members)
    except RequestError:
        raise
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RequestError(f"the request: no JSON ({error})") from None
    except RecursionError:
        raise RequestError(f"the request: it is nested too deep; {AS_TEXT}") from None
    except ValueError:
        raise RequestError(f"the request: an integer has too many digits; {AS_TEXT}") from None


def _members(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        (name, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise RequestError(f"the request: an object has two members {_shown(name)}")
    return members


def read_request(request: object, call_id: str) -> RecordTexts:
    """Return the records of a request.

    Args:
        request: What the client has sent, as JSON has it.
        call_id: Names the call, the same in every attempt. A `request_id` takes its place.

    Raises:
        RequestError: It cannot be read, or it is too large.
    """
    members = _object(request, "the request", FIELDS)
    template = SubmissionHeader(
        submission_id=_name(members, "request_id", call_id),
        requester="",
        records=0,
        length=0,
        source=_name(members, "source", DEFAULT_SOURCE),
        target=_name(members, "target", RECORDS_TARGET),
    )
    try:
        texts = record_texts(_records(members, template.target), template, RECORDS_PER_SUBMISSION)
    except RecordError as error:
        raise RequestError(str(error)) from None
    # Keys travel back in the answer, as JSON.
    size = sum(map(json_size, texts.keys)) + sum(len(text.encode()) for text in texts.payloads)
    if size > MAX_REQUEST_BYTES:
        raise RequestError(
            f"records: {size} bytes of keys and payloads are too many, {MAX_REQUEST_BYTES} are"
            " allowed: make several requests of them"
        )
    return texts


def answer(digest: str, results: Sequence[RecordResult]) -> dict[str, object]:
    """Return the answer to a request, as JSON has it.

    Args:
        digest: Of the records, so that the client can see that they are the ones it has sent.
        results: One for each record, in their order.
    """
    return {"digest": digest, "records": [_answer(result) for result in results]}


def _answer(result: RecordResult) -> dict[str, object]:
    problem = asdict(result.problem) if result.problem else None
    if problem:
        # The place in its submission, which the client knows nothing of.
        del problem["position"]
    return {
        "key": result.key or None,
        "verdict": result.verdict.value,
        "problem": problem,
        "batch_id": result.batch_id,
        "returned": result.returned,
    }


def _records(members: Mapping[str, object], target: str) -> list[Record]:
    records = members.get("records")
    if not isinstance(records, list) or not records:
        raise RequestError("records: a list with at least one record is needed")
    if len(records) > MAX_REQUEST_RECORDS:
        raise RequestError(
            f"records: {len(records)} are too many, {MAX_REQUEST_RECORDS} are allowed: make several"
            " requests of them"
        )
    return [_record(f"records[{index}]", record, target) for index, record in enumerate(records)]


def _record(place: str, value: object, target: str) -> Record:
    members = _object(value, place, RECORD_FIELDS)
    key, payload = members.get("key"), members.get("payload")
    if target != RECORDS_TARGET and key is not None:
        raise RequestError(f"{place}.key: leave it out, the key of {target} is in the payload")
    if target == RECORDS_TARGET and not isinstance(key, str):
        raise RequestError(f"{place}.key: a text is needed")
    if not isinstance(payload, dict | str):
        raise RequestError(f"{place}.payload: an object is needed, or its JSON text")
    line, rejection = members.get("line"), members.get("rejection")
    if not isinstance(rejection, str | None):
        raise RequestError(f"{place}.rejection: a text is needed")
    return Record(key, payload, line, rejection or "")  # type: ignore[arg-type]  # checked, or later


def _object(value: object, place: str, names: Sequence[str]) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise RequestError(f"{place}: an object is needed, with {', '.join(names)}")
    for name in value:
        if name not in names:
            raise RequestError(f"{place}: there is no {_shown(name)}, only {', '.join(names)}")
    return value


def _shown(name: str) -> str:
    return repr(name[:SHOWN_CHARACTERS])


def _name(members: Mapping[str, object], name: str, otherwise: str) -> str:
    value = members.get(name)
    if value is None:
        return otherwise
    if not is_name(value):
        raise RequestError(f"{name}: {NAME_NEEDED}")
    return value
