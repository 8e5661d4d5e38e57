"""What a requester has been told about its submissions, and when to submit which again."""

import math
from collections import Counter
from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError

from batching_demo.contracts.messages import VERDICT_BY_CODE, Busy, SubmissionHeader, Verdicts

_verdicts = TypeAdapter(list[Verdicts])
_busy = TypeAdapter(Busy)
LONGEST_WAIT_SECONDS = 3600.0
"""What a busy answer may ask for; JSON can spell Infinity, which is no time for a timer."""


class Answers:
    """Verdicts and busy answers. The same one twice, or one nobody waits for, changes nothing."""

    def __init__(self) -> None:
        self._taken: dict[str, Verdicts] = {}
        self._due_at: dict[str, float] = {}
        self._silent: set[str] = set()

    def read_verdicts(self, arguments: Sequence[object]) -> str | None:
        """Take the arguments of a `verdicts` signal; say what is wrong with them, if anything."""
        try:
            (only,) = arguments
            self.take(_verdicts.validate_python(only))
        except ValidationError as error:
            return f"{error.error_count()} fields do not fit"
        except ValueError:
            return f"expected one argument, got {len(arguments)}"
        return None

    def read_busy(self, arguments: Sequence[object], now: float) -> str | None:
        """Take the arguments of a `busy` signal; say what is wrong with them, if anything."""
        try:
            (only,) = arguments
            busy = _busy.validate_python(only)
        except ValidationError as error:
            return f"{error.error_count()} fields do not fit"
        except ValueError:
            return f"expected one argument, got {len(arguments)}"
        if not 0 <= busy.retry_after_seconds <= LONGEST_WAIT_SECONDS:
            return f"cannot wait {busy.retry_after_seconds} s"
        for submission_id in busy.submission_ids:
            self._due_at[submission_id] = now + busy.retry_after_seconds
            self._silent.discard(submission_id)
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

    def sending(self, headers: Sequence[SubmissionHeader]) -> None:
        """Note submissions that are on their way."""
        for header in headers:
            self._due_at[header.submission_id] = math.inf
            self._silent.discard(header.submission_id)

    def sent(self, headers: Sequence[SubmissionHeader], again_at: float) -> None:
        """Note when submissions are to be sent again, unless a busy answer said so meanwhile."""
        for header in headers:
            if self._due_at[header.submission_id] == math.inf:
                self._due_at[header.submission_id] = again_at
                self._silent.add(header.submission_id)

    def not_sent(self, headers: Sequence[SubmissionHeader], again_at: float) -> None:
        """Note when submissions that reached nobody are to be sent again."""
        for header in headers:
            self._due_at[header.submission_id] = again_at

    def due_at(self, header: SubmissionHeader) -> float:
        """Tell when a submission is to be sent; one that never was, at once."""
        return self._due_at.get(header.submission_id, 0.0)

    def is_overdue(self, header: SubmissionHeader) -> bool:
        """Tell whether a submission that was sent got no answer at all."""
        return header.submission_id in self._silent

    def to(self, headers: Sequence[SubmissionHeader]) -> list[Verdicts]:
        """List the answers to submissions, in their order."""
        return [answer for header in headers if (answer := self.answer_to(header))]


def count(answers: Sequence[Verdicts]) -> dict[str, int]:
    """Count the records of answered submissions by verdict."""
    codes = Counter[str]()
    for answer in answers:
        codes.update(answer.codes)
    return {verdict.value: codes[code] for code, verdict in VERDICT_BY_CODE.items()}
