"""Join submissions into the rows of one write, and cut its verdicts back into theirs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from batching_demo.batcher_service.messages import BatchResult
from batching_demo.contracts import (
    VERDICT_BY_CODE,
    EncodingError,
    Problem,
    SubmissionHeader,
    Verdict,
    Verdicts,
    decode_records,
)
from batching_demo.database.rows import Rows
from batching_demo.database.writes import Write


@dataclass
class Gathered:
    """The rows of one write, and whose they are."""

    rows: Rows = field(default_factory=Rows)
    owners: list[SubmissionHeader] = field(default_factory=list)
    """Submissions in `rows`, in order; each has as many rows as its header says."""
    unreadable: list[Verdicts] = field(default_factory=list)
    """Answers to submissions whose bytes are no records."""

    def add(self, header: SubmissionHeader, encoded: bytes) -> None:
        """Append the records of a submission."""
        try:
            columns = decode_records(encoded)
        except EncodingError as error:
            self.unreadable.append(_reject_all(header, f"malformed: {error}"))
            return
        if len(columns.keys) != header.records:
            reason = f"malformed: {len(columns.keys)} records came, {header.records} announced"
            self.unreadable.append(_reject_all(header, reason))
            return
        self.rows.append(header, columns)
        self.owners.append(header)

    def verdicts(self, write: Write, batch_id: str | None) -> list[Verdicts]:
        """Cut the codes and problems of a finished write into answers."""
        answers = list(self.unreadable)
        start = 0
        for header in self.owners:
            end = start + header.records
            problems = [write.problems[row] for row in range(start, end) if row in write.problems]
            codes = "".join(write.codes[start:end])
            answers.append(Verdicts(header.submission_id, codes, batch_id, problems))
            start = end
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
    return BatchResult(**{VERDICT_BY_CODE[code].value: number for code, number in codes.items()})


def _reject_all(header: SubmissionHeader, reason: str) -> Verdicts:
    problems = [Problem(position, reason) for position in range(header.records)]
    return Verdicts(header.submission_id, Verdict.REJECTED[0] * header.records, None, problems)
