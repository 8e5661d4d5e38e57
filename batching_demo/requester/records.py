"""The records that a workflow hands over, how they are prepared, and the result for each."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from batching_demo.contracts.encoding import PreparedRecord
from batching_demo.contracts.messages import (
    VERDICT_BY_CODE,
    Problem,
    Submission,
    SubmissionHeader,
    Verdict,
    Verdicts,
)
from batching_demo.contracts.targets import RECORDS_TARGET
from batching_demo.records.json_text import canonical, parse_object
from batching_demo.records.key import check_key
from batching_demo.records.preparing import Content, prepare_record
from batching_demo.records.rejection import RejectionError
from batching_demo.requester.submissions import cut

LAST_LINE = 2**63 - 1
REJECTION = re.compile(r"[a-z_]{1,40}: [\x20-\ud7ff\ue000-\U0010ffff]{1,1000}")
"""Of a record that is known to be bad."""


@dataclass(frozen=True)
class Record:
    """One thing to store.

    Attributes:
        key: Decides what is the same record. Take one that your business knows, not a random one.
            Records of a table of your own have their key in the payload: there it is a label, which
            results and dead letters show, and may be left out.
        payload: A JSON object, or its text. Numbers of a text keep all their digits.
        line: Its line in the source, which its row and its dead letter name. The default is its
            place in the call.
        rejection: Why it cannot be stored, if that is known already: a code, a colon and a detail.
            It is then kept as a dead letter, and its payload may be any text.
    """

    key: str | None = None
    payload: Mapping[str, Any] | str = ""
    line: int | None = None
    rejection: str = ""


@dataclass(frozen=True)
class RecordResult:
    """The result for one record.

    Attributes:
        key: The key of the record, or its label; empty if it has none.
        verdict: What happened to it.
        problem: Why it is a conflict or rejected, or why `returned` lacks what it should have; None
            otherwise.
        batch_id: The batch that it was decided in; None on the unbatched path.
        returned: The columns that a table of your own returns, by name, as JSON has their values.
            It is empty for a record that is not stored.
    """

    key: str
    verdict: Verdict
    problem: Problem | None = None
    batch_id: str | None = None
    returned: Mapping[str, Any] = field(default_factory=dict)


class RecordError(ValueError):
    """A record that cannot be submitted, not even as a bad one; the message names it."""


@dataclass(frozen=True)
class RecordTexts:
    """Records whose payloads are JSON texts, and how to submit them."""

    keys: list[str]
    payloads: list[str]
    template: SubmissionHeader
    """What the headers of their submissions have in common."""
    max_records: int
    """The most records of one submission."""
    lines: list[int] = field(default_factory=list)
    """Their lines in the source; empty if these are their places in the call."""
    rejections: list[str] = field(default_factory=list)
    """Why each is bad, and an empty text for the others; empty if none is known to be bad."""

    @property
    def size(self) -> int:
        """Characters of all payloads."""
        return sum(map(len, self.payloads))

    @property
    def digest(self) -> str:
        """What tells these records from others that have the same submission id otherwise."""
        return self.template.submission_id.rpartition("/")[2]


def record_texts(
    records: Sequence[Record], template: SubmissionHeader, max_records: int
) -> RecordTexts:
    """Return records as texts.

    The submission id in the template gets a digest of the records. So the same records have the
    same ids in every attempt, and other records have others.

    Args:
        records: What a workflow hands over.
        template: What the headers of their submissions have in common.
        max_records: The most records of one submission.

    Raises:
        RecordError: A key is no text, a payload is neither a text nor a mapping of what JSON
            knows, or a line or a rejection is none.
    """
    is_own = template.target != RECORDS_TARGET
    keys = [_key_text(index, record, is_own) for index, record in enumerate(records)]
    payloads = [_payload_text(index, record) for index, record in enumerate(records)]
    lines, rejections = _lines(records), _rejections(records)
    # `max_records` decides which records are in which submission, so it decides their ids too.
    more = [*([rejections] if rejections else []), *([template.target] if is_own else [])]
    decides = json.dumps([keys, payloads, max_records, *more])
    digest = hashlib.sha256(decides.encode()).hexdigest()[:16]
    named = replace(template, submission_id=f"{template.submission_id}/{digest}")
    return RecordTexts(keys, payloads, named, max_records, lines, rejections)


def _lines(records: Sequence[Record]) -> list[int]:
    if all(record.line is None for record in records):
        return []
    for index, record in enumerate(records):
        if not _is_line(record.line):
            raise RecordError(f"records[{index}].line: an integer from 1 is needed")
    return [record.line or place for place, record in enumerate(records, 1)]


def _is_line(line: object) -> bool:
    if line is None:
        return True
    return isinstance(line, int) and not isinstance(line, bool) and 1 <= line <= LAST_LINE


def _rejections(records: Sequence[Record]) -> list[str]:
    rejections = [record.rejection for record in records]
    if not any(rejections):
        return []
    for index, rejection in enumerate(rejections):
        if rejection and not (isinstance(rejection, str) and REJECTION.fullmatch(rejection)):
            raise RecordError(
                f"records[{index}].rejection: a code in small letters, a colon and a detail of one"
                " line are needed"
            )
    return rejections


def _key_text(index: int, record: Record, is_own: bool) -> str:
    """Return the key of a record; empty if it has none and its target needs none."""
    if record.key is None and is_own:
        return ""
    if record.key is None:
        raise RecordError(f"records[{index}]: it has no key, which the target records needs")
    if not isinstance(record.key, str):
        raise RecordError(
            f"records[{index}]: the key {record.key!r} is {type(record.key).__name__}, not text;"
            " convert it with str() first"
        )
    return record.key


def _payload_text(index: int, record: Record) -> str:
    if isinstance(record.payload, str):
        return _utf8(record.payload)
    try:
        return _utf8(json.dumps(record.payload, ensure_ascii=False, default=_as_dict))
    except (TypeError, ValueError, RecursionError) as error:
        raise RecordError(
            f"records[{index}], key {record.key!r}: the payload is no JSON ({error});"
            " convert it to text, numbers, lists and dicts first"
        ) from None


def _as_dict(value: object) -> dict[object, object]:
    """Return a mapping as a dict, the only mapping that Python's JSON encoder knows.

    Raises:
        TypeError: The value is no mapping.
    """
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _utf8(text: str) -> str:
    """Escape half surrogate pairs, so that the text can travel; preparation rejects them later."""
    return text.encode(errors="backslashreplace").decode()


def prepare_submissions(texts: RecordTexts) -> list[Submission]:
    """Return the submissions of records, in their order. Bad records are in them, as rejected."""
    lines = texts.lines or range(1, len(texts.keys) + 1)
    rejections = texts.rejections or [""] * len(texts.keys)
    needs_key = texts.template.target == RECORDS_TARGET
    prepare = partial(_prepared, needs_key=needs_key)
    prepared = list(map(prepare, lines, texts.keys, texts.payloads, rejections))
    return cut({texts.template.shard: prepared}, texts.template, texts.max_records)


def _prepared(
    line: int, key: str, payload: str, rejection: str, *, needs_key: bool
) -> PreparedRecord:
    code, _, detail = rejection.partition(": ")
    known = RejectionError(code, detail) if rejection else None
    # A rejected record keeps its key, for its dead letter, unless the key itself is bad.
    try:
        if key or needs_key:
            check_key(key)
    except RejectionError as found:
        return prepare_record(line, payload, partial(_reject, known or found))
    read = partial(_reject, known) if known else partial(_content, key, payload)
    return prepare_record(line, payload, read, rejected_key=key)


def _reject(rejection: RejectionError) -> Content:
    raise rejection


def _content(key: str, payload: str) -> Content:
    return Content(key, payload, canonical(parse_object(payload)))


def results_of(keys: Sequence[str], answers: Sequence[Verdicts]) -> list[RecordResult]:
    """Return the result of each record, in their order.

    Args:
        keys: The keys of the records.
        answers: The answers to their submissions, in the same order.
    """
    return [
        RecordResult(key, verdict, problem, batch_id, json.loads(returned) if returned else {})
        for key, (verdict, problem, batch_id, returned) in zip(keys, _decided(answers), strict=True)
    ]


def _decided(
    answers: Sequence[Verdicts],
) -> Iterator[tuple[Verdict, Problem | None, str | None, str]]:
    """Yield the verdict, the problem, the batch id and the returned columns of each record."""
    for answer in answers:
        problems = {problem.position: problem for problem in answer.problems}
        returned = answer.returned or [""] * len(answer.codes)
        for position, code in enumerate(answer.codes):
            problem = problems.get(position)
            yield VERDICT_BY_CODE[code], problem, answer.batch_id, returned[position]
