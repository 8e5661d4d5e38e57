"""What a requester sends to its activities. Workflow code imports this, and not the activities."""

from dataclasses import dataclass, field

from batching_demo.contracts.messages import SubmissionHeader

SUBMIT_ACTIVITY = "batching_submit"
"""Activity that takes a `SubmitInput` and joined records, and returns whether the batcher runs."""
ENQUEUE_ACTIVITY = "batching_enqueue"
"""Activity that takes an `EnqueueInput` and joined records, and returns an `Enqueued`."""
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


@dataclass(frozen=True)
class EnqueueInput:
    """A message without its records: the queue that it goes to, and where it was added before.

    Attributes:
        shard: The shard of the queue.
        headers: The headers of its submissions.
        entries: The entry that each submission was sent in before; empty if it was in none. A
            submission is not added again while the queue has its entry.
    """

    shard: int
    headers: list[SubmissionHeader]
    entries: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Enqueued:
    """The result of sending a message.

    Attributes:
        entries: The entry of each submission, a new one or the earlier one.
        problem: Why the queue does not have all submissions; empty if it has.
    """

    entries: list[str] = field(default_factory=list)
    problem: str = ""
