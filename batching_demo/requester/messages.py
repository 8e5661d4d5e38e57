"""What a requester sends to its activities. Workflow code imports this, and not the activities."""

from dataclasses import dataclass

from batching_demo.contracts.messages import SubmissionHeader

SUBMIT_ACTIVITY = "batching_submit"
"""Activity that takes a `SubmitInput` and joined records, and returns whether the batcher runs."""
PREPARE_ACTIVITY = "batching_prepare"
"""Activity that takes `RecordTexts`, and returns packed submissions."""


@dataclass(frozen=True)
class SubmitInput:
    """A message without its records: where it goes, and how long it may wait for others.

    Attributes:
        shard: The shard of the batcher that gets it.
        headers: The headers of its submissions.
        gather_seconds: How long the worker may gather messages of other workflows.
    """

    shard: int
    headers: list[SubmissionHeader]
    gather_seconds: float
