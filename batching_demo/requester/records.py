"""The records that a workflow hands over, how they are prepared, and what became of each."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
from batching_demo.records.json_text import canonical, parse_object
from batching_demo.records.key import check_key
from batching_demo.records.preparing import Content, prepare_record
from batching_demo.records.rejection import RejectionError
from batching_demo.requester.submissions import cut


@dataclass(frozen=True)
class Record:
    """One thing to store.

    Attributes:
        key: Decides what is the same record. Take one that your business knows, not a random one.
        payload: A JSON object, or its text. Numbers of a text keep all their digits.
    """

    key: str
    payload: Mapping[str, Any] | str


@dataclass(frozen=True)
class RecordResult:
    """What became of one record.

    Attributes:
        key: The key of the record.
        verdict: What became of it.
        problem: Why it is a conflict or rejected; None otherwise.
        batch_id: The batch that it was decided in; None on the unbatched path.
    """

    key: str
    verdict: Verdict
    problem: Problem | None = None
    batch_id: str | None = None


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
        RecordError: A key is no text, or a payload is neither a text nor a mapping of what JSON
            knows.
    """
    keys = [record.key for record in records]
    payloads = [_payload_text(index, record) for index, record in enumerate(records)]
    # `max_records` decides which records are in which submission, so it decides their ids too.
    decides = json.dumps([keys, payloads, max_records])
    digest = hashlib.sha256(decides.encode()).hexdigest()[:16]
    named = replace(template, submission_id=f"{template.submission_id}/{digest}")
    return RecordTexts(keys, payloads, named, max_records)


def _payload_text(index: int, record: Record) -> str:
    if not isinstance(record.key, str):
        raise RecordError(
            f"records[{index}]: the key {record.key!r} is {type(record.key).__name__}, not text;"
            " convert it with str() first"
        )
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
    pairs = zip(texts.keys, texts.payloads, strict=True)
    prepared = [_prepared(line, key, payload) for line, (key, payload) in enumerate(pairs, 1)]
    return cut({texts.template.shard: prepared}, texts.template, texts.max_records)


def _prepared(line: int, key: str, payload: str) -> PreparedRecord:
    # A rejected record keeps its key, for its dead letter, unless the key itself is bad.
    try:
        check_key(key)
    except RejectionError as rejection:
        return prepare_record(line, payload, partial(_reject, rejection))
    return prepare_record(line, payload, partial(_content, key, payload), rejected_key=key)


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
        RecordResult(key, verdict, problem, batch_id)
        for key, (verdict, problem, batch_id) in zip(keys, _decided(answers), strict=True)
    ]


def _decided(answers: Sequence[Verdicts]) -> Iterator[tuple[Verdict, Problem | None, str | None]]:
    """Yield the verdict, the problem and the batch id of each record."""
    for answer in answers:
        problems = {problem.position: problem for problem in answer.problems}
        for position, code in enumerate(answer.codes):
            yield VERDICT_BY_CODE[code], problems.get(position), answer.batch_id
