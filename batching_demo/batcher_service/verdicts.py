"""Join submissions into the rows of one write, and cut its verdicts back into theirs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from batching_demo.contracts.counts import count
from batching_demo.contracts.encoding import EncodingError, RecordColumns, decode_records
from batching_demo.contracts.limits import KIB
from batching_demo.contracts.messages import (
    Problem,
    Submission,
    SubmissionHeader,
    Verdict,
    Verdicts,
)
from batching_demo.database.writing.row_writer import WriteResult
from batching_demo.database.writing.rows import Rows

SHOWN_OF_MALFORMED = 4096
"""Bytes of a malformed submission that its dead letter keeps."""
DETAILED_BYTES = 512 * KIB
"""Problems of a write beyond these bytes lose their details. The dead letters keep them."""
LARGEST_PROBLEMS_BYTES = 1024 * KIB
"""Problems beyond these bytes are left out. The verdicts of their records are not."""


@dataclass
class Gathered:
    """The rows of one write, and whose they are."""

    rows: Rows = field(default_factory=Rows)
    owners: list[tuple[SubmissionHeader, int]] = field(default_factory=list)
    """Submissions in `rows`, in order, with their number of rows."""

    def add(self, submission: Submission) -> None:
        """Append the records of a submission; of a malformed one, a row that shows what came."""
        try:
            columns = _columns(submission)
        except EncodingError as error:
            columns = _one_rejected(submission.records, f"malformed: {error}")
        self.rows.append(submission.header, columns)
        self.owners.append((submission.header, len(columns.keys)))

    def verdicts(self, result: WriteResult, batch_id: str | None) -> list[Verdicts]:
        """Return the answer to each submission of a finished write."""
        answers = []
        start = 0
        bounded = dict(_bounded(result.problems))
        for header, rows in self.owners:
            end = start + rows
            codes = "".join(result.codes[start:end])
            if rows != header.records:
                codes = Verdict.REJECTED[0] * header.records
            found = (bounded.get(row) for row in range(start, end))
            problems = [problem for problem in found if problem]
            returned = [result.returned.get(row, "") for row in range(start, end)]
            if not any(returned):
                returned = []
            answers.append(Verdicts(header.submission_id, codes, batch_id, problems, returned))
            start = end
        return answers


def _bounded(problems: Mapping[int, Problem]) -> Iterator[tuple[int, Problem]]:
    """Yield the problems of a write, so that even thousands fit into the signal with the verdicts.

    One requester may get all of them, and a signal that is too large never arrives.
    """
    size = 0
    for row, problem in problems.items():
        shown = problem if size + problem.size <= DETAILED_BYTES else replace(problem, detail="")
        size += shown.size
        if size <= LARGEST_PROBLEMS_BYTES:
            yield row, shown


def by_target(submissions: Sequence[Submission]) -> dict[str, list[int]]:
    """Return the places of submissions in a batch, by the target that each is for."""
    places: dict[str, list[int]] = {}
    for place, submission in enumerate(submissions):
        places.setdefault(submission.header.target, []).append(place)
    return places


def gather(submissions: Iterable[Submission]) -> Gathered:
    """Decode and join the records of submissions."""
    gathered = Gathered()
    for submission in submissions:
        gathered.add(submission)
    return gathered


def _columns(submission: Submission) -> RecordColumns:
    header = submission.header
    if header.malformed:
        raise EncodingError(header.malformed)
    columns = decode_records(submission.records)
    if len(columns.keys) != header.records:
        raise EncodingError(
            f"{count(len(columns.keys), 'record')} came, {header.records} announced"
        )
    return columns


def _one_rejected(encoded: bytes, rejection: str) -> RecordColumns:
    text = encoded[:SHOWN_OF_MALFORMED].decode(errors="backslashreplace")
    return RecordColumns([""], [0], [text], [b""], [rejection])
