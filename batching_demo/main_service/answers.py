"""What a requester has been told about its submissions."""

from collections import Counter
from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError

from batching_demo.contracts import VERDICT_BY_CODE, SubmissionHeader, Verdicts

_verdicts = TypeAdapter(list[Verdicts])


class Answers:
    """Verdicts by submission. Taking one twice, or one that nobody waits for, changes nothing."""

    def __init__(self) -> None:
        self._taken: dict[str, Verdicts] = {}

    def read(self, arguments: Sequence[object]) -> str | None:
        """Take the arguments of a `verdicts` signal; say what is wrong with them, if anything."""
        if len(arguments) != 1:
            return f"expected one list of verdicts, got {len(arguments)} arguments"
        try:
            verdicts = _verdicts.validate_python(arguments[0])
        except ValidationError as error:
            return f"{error.error_count()} fields do not fit"
        self.take(verdicts)
        return None

    def take(self, verdicts: Sequence[Verdicts]) -> None:
        """Keep the first answer to each submission."""
        for answer in verdicts:
            self._taken.setdefault(answer.submission_id, answer)

    def answer_to(self, header: SubmissionHeader) -> Verdicts | None:
        """Find the answer to a submission, if it has one that covers all its records."""
        answer = self._taken.get(header.submission_id)
        if answer is None or len(answer.codes) != header.records:
            return None
        return answer if all(code in VERDICT_BY_CODE for code in answer.codes) else None

    def counts(self, headers: Sequence[SubmissionHeader]) -> dict[str, int]:
        """Count the records of answered submissions by verdict."""
        codes = Counter[str]()
        for header in headers:
            if answer := self.answer_to(header):
                codes.update(answer.codes)
        return {verdict.value: codes[code] for code, verdict in VERDICT_BY_CODE.items()}
