"""What a requester sends to the activities of its worker. Workflow code imports none of them."""

from dataclasses import dataclass

from batching_demo.contracts.messages import SubmissionHeader

SUBMIT_ACTIVITY = "submit_to_batcher"
"""Takes a `SubmitInput` and the joined records; returns whether the batcher runs."""
PREPARE_ACTIVITY = "prepare_submissions"
"""Takes `RecordTexts`; returns packed submissions."""


@dataclass(frozen=True)
class SubmitInput:
    """Where submissions go, and how long they may wait for those of other workflows."""

    shard: int
    headers: list[SubmissionHeader]
    gather_seconds: float
