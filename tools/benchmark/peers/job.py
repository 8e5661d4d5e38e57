"""What a peer is asked to run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Job:
    """The workflows of one cell."""

    path: str
    """A file of flights."""
    records_per_workflow: int
    records: int
    label: str
    """Names the run, and begins its keys."""
    at_once: int
    """Workflows under way at a time."""
