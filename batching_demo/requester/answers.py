"""What a workflow has been told about its submissions, and when to submit which again."""

import math
from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError

from batching_demo.contracts.messages import VERDICT_BY_CODE, Busy, Submission, Verdicts

_verdicts = TypeAdapter(list[Verdicts])
_busy = TypeAdapter(Busy)
LONGEST_RETRY_AFTER_SECONDS = 3600.0
"""What a busy answer may ask for; JSON can spell Infinity, which is no time for a timer."""


class Answers:
    """Verdicts and busy answers. The same one twice, or one nobody waits for, changes nothing."""

    def __init__(self) -> None:
        self._taken: dict[str, Verdicts] = {}
        self._due_at: dict[str, float] = {}
        self._unanswered: set[str] = set()

    def read_verdicts(self, arguments: Sequence[object]) -> str | None:
        """Take the arguments of a verdicts signal, and return what is wrong with them, if any."""
        try:
            (only,) = arguments
            self.take(_verdicts.validate_python(only))
        except ValidationError as error:
            return f"{error.error_count()} fields do not fit"
        except ValueError:
            return f"expected one argument, got {len(arguments)}"
        return None

    def read_busy(self, arguments: Sequence[object], now: float) -> str | None:
        """Take the arguments of a busy signal, and return what is wrong with them, if any."""
        try:
            (only,) = arguments
            busy = _busy.validate_python(only)
        except ValidationError as error:
            return f"{error.error_count()} fields do not fit"
        except ValueError:
            return f"expected one argument, got {len(arguments)}"
        if not 0 <= busy.retry_after_seconds <= LONGEST_RETRY_AFTER_SECONDS:
            return f"cannot wait {busy.retry_after_seconds} s"
        for submission_id in busy.submission_ids:
            self._due_at[submission_id] = now + busy.retry_after_seconds
            self._unanswered.discard(submission_id)
        return None

    def take(self, verdicts: Sequence[Verdicts]) -> None:
        """Keep the first answer to each submission."""
        for answer in verdicts:
            self._taken.setdefault(answer.submission_id, answer)

    def answer_to(self, submission: Submission) -> Verdicts | None:
        """Return the answer to a submission, if it has one that covers all its records."""
        header = submission.header
        answer = self._taken.get(header.submission_id)
        if answer is None or len(answer.codes) != header.records:
            return None
        return answer if all(code in VERDICT_BY_CODE for code in answer.codes) else None

    def sending(self, submissions: Sequence[Submission]) -> None:
        """Remember submissions that are on their way."""
        for submission in submissions:
            submission_id = submission.header.submission_id
            self._due_at[submission_id] = math.inf
            self._unanswered.discard(submission_id)
            # Whatever came so far does not fit, and would be kept in place of what does.
            self._taken.pop(submission_id, None)

    def sent(self, submissions: Sequence[Submission], again_at: float) -> None:
        """Set when to send submissions again, unless a busy answer said so meanwhile."""
        for submission in submissions:
            submission_id = submission.header.submission_id
            if self._due_at[submission_id] == math.inf:
                self._due_at[submission_id] = again_at
                self._unanswered.add(submission_id)

    def not_sent(self, submissions: Sequence[Submission], again_at: float) -> None:
        """Set when to send submissions again that reached nobody."""
        for submission in submissions:
            self._due_at[submission.header.submission_id] = again_at

    def due_at(self, submission: Submission) -> float:
        """Return when a submission is to be sent; one that never was, at once."""
        return self._due_at.get(submission.header.submission_id, 0.0)

    def is_overdue(self, submission: Submission) -> bool:
        """Return whether a submission was sent and got no answer at all."""
        return submission.header.submission_id in self._unanswered

    def to(self, submissions: Sequence[Submission]) -> list[Verdicts]:
        """Return the answers to submissions, in their order."""
        return [answer for one in submissions if (answer := self.answer_to(one))]
