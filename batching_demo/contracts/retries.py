"""How the retry of a dead letter is started, and what comes of it."""

from dataclasses import dataclass

from batching_demo.contracts.messages import Verdict

PREPARE_RETRY = "prepare_retry"
"""Activity that takes a `RetryInput` and a corrected payload, and returns a packed submission."""
RECORD_RETRY = "record_retry"
"""Activity that takes a `RetryInput`, `Verdicts` and the records, and returns a `RetryResult`."""


@dataclass(frozen=True)
class RetryInput:
    """One attempt at storing the record of a dead letter. A corrected payload travels beside it."""

    dead_letter_id: int
    attempt: int
    """Which attempt it is. Attempt 1 has made the record a dead letter, so retries begin with 2."""
    linger_seconds: float
    """The linger of the batcher."""
    key: str | None = None
    """The key to submit the record under; None for the key of the dead letter."""
    database: str = ""
    """The identity of the database with the dead letter; empty in retries of earlier versions."""

    @property
    def workflow_id(self) -> str:
        """Id of the retry, the same for the same attempt, so that none runs twice at once."""
        return "-".join(["retry", *self._parts])

    @property
    def submission_id(self) -> str:
        """Id of the submission that this attempt makes."""
        return "/".join(["retry", *self._parts])

    @property
    def _parts(self) -> list[str]:
        database = [self.database] if self.database else []
        return [*database, str(self.dead_letter_id), str(self.attempt)]


@dataclass(frozen=True)
class RetryResult:
    """The verdict of one attempt."""

    verdict: Verdict
    batch_id: str | None = None
    reason: str = ""
    """Reason, detail and SQLSTATE are those of the `Problem`, if the record is not stored."""
    detail: str = ""
    sqlstate: str | None = None
    kept_as: int | None = None
    """Id of the dead letter that now keeps the submitted record; None if the record is stored. It
    is another dead letter if the record was changed, or was refused for another reason."""
