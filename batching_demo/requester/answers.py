"""The answers to the submissions of a workflow, and when each submission is to be sent again."""

import math
from collections.abc import Sequence
from dataclasses import replace

from pydantic import TypeAdapter, ValidationError

from batching_demo.contracts.messages import VERDICT_BY_CODE, Busy, Submission, Verdicts

_verdicts = TypeAdapter(list[Verdicts])
_busy = TypeAdapter(Busy)
LONGEST_RETRY_AFTER_SECONDS = 3600.0
"""A busy answer that asks for more is malformed. JSON can spell Infinity, which no timer takes."""


class Answers:
    """The verdicts and busy answers that a workflow has received, by submission id.

    An answer that comes twice, or that nobody waits for, changes nothing. One that comes in parts
    counts once all of them are here.
    """

    def __init__(self) -> None:
        self._taken: dict[str, Verdicts] = {}
        self._parts: dict[tuple[str, str | None], dict[int, Verdicts]] = {}
        """By submission and batch, the parts of answers that are not complete, by position."""
        self._due_at: dict[str, float] = {}
        """When each submission is to be sent, in seconds since the epoch; infinity while the
        activity that sends it runs."""
        self._unanswered: set[str] = set()
        """Submissions that were sent and have not been answered busy since. Some may have verdicts
        by now."""

    def read_verdicts(self, arguments: Sequence[object]) -> str | None:
        """Take the arguments of a verdicts signal. Return what is wrong with them; None if nothing.

        Args:
            arguments: Whatever came. They are checked here, since the handler takes any.
        """
        try:
            (only,) = arguments
            self.take(_verdicts.validate_python(only))
        except ValidationError as error:
            return f"{error.error_count()} fields do not fit"
        except ValueError:
            return f"expected one argument, got {len(arguments)}"
        return None

    def read_busy(self, arguments: Sequence[object], now: float) -> str | None:
        """Take the arguments of a busy signal. Return what is wrong with them; None if nothing.

        Args:
            arguments: Whatever came.
            now: Seconds since the epoch.
        """
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
        """Keep the first complete answer to each submission."""
        for answer in verdicts:
            if answer.submission_id not in self._taken and (whole := self._completed(answer)):
                self._taken[answer.submission_id] = whole

    def _completed(self, answer: Verdicts) -> Verdicts | None:
        """Return an answer with those of its parts that came before; None if some are missing."""
        if not answer.returned:
            return answer
        name = answer.submission_id, answer.batch_id
        parts = self._parts.setdefault(name, {})
        parts[answer.returned_from] = answer
        returned: list[str] = []
        while part := parts.get(len(returned)):
            returned += part.returned
        if len(returned) != len(answer.codes):
            return None
        del self._parts[name]
        return replace(parts[0], returned=returned)

    def answer_to(self, submission: Submission) -> Verdicts | None:
        """Return the verdicts of a submission; None if it has none that fit all its records."""
        header = submission.header
        answer = self._taken.get(header.submission_id)
        if answer is None or len(answer.codes) != header.records:
            return None
        return answer if all(code in VERDICT_BY_CODE for code in answer.codes) else None

    def sending(self, submissions: Sequence[Submission]) -> None:
        """Note that submissions are being sent."""
        for submission in submissions:
            submission_id = submission.header.submission_id
            self._due_at[submission_id] = math.inf
            self._unanswered.discard(submission_id)
            # An answer that is here already does not fit, or the submission would not be sent. It
            # has to go, since `take` keeps the first answer, and a later one may fit.
            self._taken.pop(submission_id, None)

    def sent(self, submissions: Sequence[Submission], again_at: float) -> None:
        """Note that a batcher has submissions, and when to send them again without an answer.

        A busy answer that has come meanwhile wins: it says when to send them again.
        """
        for submission in submissions:
            submission_id = submission.header.submission_id
            if self._due_at[submission_id] == math.inf:
                self._due_at[submission_id] = again_at
                self._unanswered.add(submission_id)

    def not_sent(self, submissions: Sequence[Submission], again_at: float) -> None:
        """Note that submissions reached no batcher, and when to try again."""
        for submission in submissions:
            self._due_at[submission.header.submission_id] = again_at

    def due_at(self, submission: Submission) -> float:
        """Return when a submission is to be sent, in seconds since the epoch; 0 if it never was."""
        return self._due_at.get(submission.header.submission_id, 0.0)

    def is_overdue(self, submission: Submission) -> bool:
        """Return whether a submission was sent and got no busy answer.

        Ask this of submissions without verdicts that are due again: their ack_timeout is over.
        """
        return submission.header.submission_id in self._unanswered

    def to(self, submissions: Sequence[Submission]) -> list[Verdicts]:
        """Return the verdicts of submissions, in their order, without those that have none."""
        return [answer for one in submissions if (answer := self.answer_to(one))]
