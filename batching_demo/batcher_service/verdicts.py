"""Join submissions into the rows of one write, and cut its verdicts back into theirs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from batching_demo.batcher_service.messages import BatchResult
from batching_demo.contracts.encoding import EncodingError, RecordColumns, decode_records
from batching_demo.contracts.messages import VERDICT_BY_CODE, SubmissionHeader, Verdict, Verdicts
from batching_demo.database.rows import Rows
from batching_demo.database.writes import Write

SHOWN_OF_MALFORMED = 4096
"""Bytes of a malformed submission that its dead letter keeps."""


@dataclass
class Gathered:
    """The rows of one write, and whose they are."""

    rows: Rows = field(default_factory=Rows)
    owners: list[tuple[SubmissionHeader, int]] = field(default_factory=list)
    """Submissions in `rows`, in order, with their number of rows."""

    def add(self, header: SubmissionHeader, encoded: bytes) -> None:
        """Append the records of a submission; of a malformed one, a row that shows what came."""
        try:
            columns = _columns(header, encoded)
        except EncodingError as error:
            columns = _one_rejected(encoded, f"malformed: {error}")
        self.rows.append(header, columns)
        self.owners.append((header, len(columns.keys)))

    def verdicts(self, write: Write, batch_id: str | None) -> list[Verdicts]:
        """Cut the codes and problems of a finished write into answers."""
        answers = []
        start = 0
        for header, count in self.owners:
            codes = "".join(write.codes[start : start + count])
            problems = [
                write.problems[row] for row in range(start, start + count) if row in write.problems
            ]
            if count != header.records:
                codes = Verdict.REJECTED[0] * header.records
            answers.append(Verdicts(header.submission_id, codes, batch_id, problems))
            start += count
        return answers


def gather(headers: Sequence[SubmissionHeader], parts: Sequence[bytes]) -> Gathered:
    """Join the records of submissions."""
    gathered = Gathered()
    for header, encoded in zip(headers, parts, strict=True):
        gathered.add(header, encoded)
    return gathered


def count(answers: Sequence[Verdicts]) -> BatchResult:
    """Count the records of answers by verdict."""
    codes = Counter[str]()
    for answer in answers:
        codes.update(answer.codes)
    by_verdict = {VERDICT_BY_CODE[code].value: number for code, number in codes.items()}
    refused = sum(problem.sqlstate is not None for answer in answers for problem in answer.problems)
    return BatchResult(**by_verdict, refused_by_postgres=refused)


def _columns(header: SubmissionHeader, encoded: bytes) -> RecordColumns:
    if header.malformed:
        raise EncodingError(header.malformed)
    columns = decode_records(encoded)
    if len(columns.keys) != header.records:
        raise EncodingError(f"{len(columns.keys)} records came, {header.records} announced")
    return columns


def _one_rejected(encoded: bytes, rejection: str) -> RecordColumns:
    text = encoded[:SHOWN_OF_MALFORMED].decode(errors="backslashreplace")
    return RecordColumns([""], [0], [text], [b""], [rejection])
