"""The records of one run of the starter, counted by verdict."""

from dataclasses import asdict, dataclass, field

from batching_demo.contracts.messages import Verdict, shown_verdicts
from batching_demo.main_service.messages import MainResult


@dataclass
class Summary:
    """The records of one run of the starter, by verdict; `read` is the sum of the others."""

    read: int = 0
    written: int = 0
    duplicate: int = 0
    conflict: int = 0
    rejected: int = 0
    updated: int = 0
    stale: int = 0
    already_done: int = 0
    pending: int = 0
    """Records without a verdict: still running, or their workflow or request failed."""
    workflows: int = 0
    started: int = 0
    attached: int = 0
    requests: int = 0
    """Those of a run without workflows."""
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)

    def add(self, records: int, result: MainResult) -> None:
        """Count the verdicts of a workflow that has ended."""
        self.pending -= records
        for verdict in Verdict:
            name = verdict.value
            setattr(self, name, getattr(self, name) + getattr(result, name))

    @property
    def verdicts(self) -> dict[str, int]:
        """The numbers of records by verdict, as people see them."""
        return shown_verdicts(asdict(self))


@dataclass(frozen=True)
class SliceResult:
    """The result of one main workflow that this run started or attached to, or of one request."""

    workflow_id: str
    """Or the id of the request."""
    records: int
    result: MainResult
    finished_at: float
    """Seconds after this run began."""


def counts(summary: Summary, *, waited: bool) -> dict[str, object]:
    """Return what `--json` prints; verdicts are None to those who did not wait."""
    shown = asdict(summary) | {"seconds": round(summary.seconds, 3)}
    if not waited:
        shown |= dict.fromkeys(verdict.value for verdict in Verdict)
    return shown
