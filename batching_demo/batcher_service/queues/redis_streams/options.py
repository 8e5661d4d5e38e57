"""How a stream is read."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StreamOptions:
    """How a stream is read."""

    group: str = "batching-demo"
    """The consumer group, which is made if there is none."""
    body_field: str = "body"
    """The field of an entry that is its body."""
    claim_after_seconds: float = 60.0
    """How long an entry stays with a consumer that has died."""
    deletes: bool = True
    """Whether entries are deleted once they are acked."""
    deletes_from_others: bool = False
    """Whether they are deleted even if other groups read the stream."""
