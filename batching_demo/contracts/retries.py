"""How the retry of a dead letter is started, and what comes of it."""

from dataclasses import dataclass

from batching_demo.contracts.messages import Verdict

PREPARE_RETRY = "prepare_retry"
"""Activity that takes a `RetryInput` and a corrected payload; returns a packed submission."""
RECORD_RETRY = "record_retry"
"""Activity that takes a `RetryInput`, `Verdicts` and the records; returns a `RetryResult`."""


@dataclass(frozen=True)
class RetryInput:
    """One attempt at storing the record of a dead letter. A corrected payload travels beside it."""

    dead_letter_id: int
    attempt: int
    """The first was the one that made the record a dead letter."""
    linger_seconds: float
    key: str | None = None
    """In place of the dead letter's own."""

    @property
    def workflow_id(self) -> str:
        """The same for the same attempt, so that it is never made twice at once."""
        return f"retry-{self.dead_letter_id}-{self.attempt}"

    @property
    def submission_id(self) -> str:
        """Of the record that this attempt submits."""
        return f"retry/{self.dead_letter_id}/{self.attempt}"


@dataclass(frozen=True)
class RetryResult:
    """The verdict of one attempt."""

    verdict: Verdict
    batch_id: str | None = None
    reason: str = ""
    detail: str = ""
    sqlstate: str | None = None
    kept_as: int | None = None
    """Id of the dead letter of the record as it was submitted, if it was not stored."""
