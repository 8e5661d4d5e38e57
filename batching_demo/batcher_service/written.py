"""What became of the submissions of a batch, also if the writes of some targets have failed."""

from dataclasses import dataclass, field

from batching_demo.contracts.batches import BatchResult, Decided
from batching_demo.contracts.messages import Verdicts
from batching_demo.database.errors import DatabaseFailedError


class PartlyWrittenError(DatabaseFailedError):
    """The write of a target has failed, and those of others have not.

    Args:
        error: How it has failed.
        decided: The submissions that are not to be written again.
    """

    def __init__(self, error: DatabaseFailedError, decided: Decided) -> None:
        super().__init__(error.failure)
        self.decided = decided


@dataclass
class Written:
    """What became of the submissions of a batch."""

    answers: dict[int, Verdicts] = field(default_factory=dict)
    """By the place of the submission in the batch. Those of a target that has failed have none."""
    failure: DatabaseFailedError | None = None
    """How the first of the targets that have failed has failed."""

    def raise_failure(self) -> None:
        """Raise the failure, if there is one.

        Raises:
            DatabaseFailedError: A target has failed. Its submissions may be written again.
            PartlyWrittenError: The same, and there are others. They may not: meanwhile somebody may
                change their rows.
        """
        if self.failure and self.answers:
            decided = Decided(sorted(self.answers), BatchResult.of(self.in_order()))
            raise PartlyWrittenError(self.failure, decided)
        if self.failure:
            raise self.failure

    def in_order(self) -> list[Verdicts]:
        """Return the answers in the order of the submissions."""
        return [self.answers[place] for place in sorted(self.answers)]
