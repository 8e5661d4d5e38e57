"""The records that are handed over to be stored, and the result for each."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from batching_demo.contracts.batches import RETURNED_TOO_LARGE
from batching_demo.contracts.messages import VERDICT_BY_CODE, Problem, Verdict, Verdicts

UNREADABLE = (
    "its returned columns have an integer of more than 4,300 digits, or nest too deeply, for Python"
    " to read them: return them as text"
)


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


def results_of(keys: Sequence[str], answers: Sequence[Verdicts]) -> list[RecordResult]:
    """Return the result of each record, in their order.

    Args:
        keys: The keys of the records.
        answers: The answers to their submissions, in the same order.
    """
    return [
        RecordResult(key, *decided) for key, decided in zip(keys, _decided(answers), strict=True)
    ]


def _decided(
    answers: Sequence[Verdicts],
) -> Iterator[tuple[Verdict, Problem | None, str | None, Mapping[str, Any]]]:
    """Yield the verdict, the problem, the batch id and the returned columns of each record."""
    for answer in answers:
        problems = {problem.position: problem for problem in answer.problems}
        texts = answer.returned or [""] * len(answer.codes)
        for position, code in enumerate(answer.codes):
            problem, returned = problems.get(position), _read(texts[position])
            if returned is None:
                problem = Problem(position, RETURNED_TOO_LARGE, UNREADABLE)
            yield VERDICT_BY_CODE[code], problem, answer.batch_id, returned or {}


def _read(text: str) -> Mapping[str, Any] | None:
    """Return the returned columns of a record; None if Python cannot read them."""
    try:
        returned: Mapping[str, Any] = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return None
    return returned
