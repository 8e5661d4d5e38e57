"""When a run of a batcher should end, for the next one to begin with an empty history."""

from enum import StrEnum

from temporalio import workflow

MAX_SIGNALS = 2_000
"""The server refuses the 10,000th signal of a run, and its hint does not count them."""
HARD_SIGNALS = 5_000
HARD_EVENTS = 8_000
"""Beyond either, a run does not wait for its writes: the next run repeats them."""


class Cause(StrEnum):
    """Why a batcher goes on in a new run."""

    SIGNALS = "signals"
    """It has had as many as a run should."""
    HISTORY = "history"
    """The server suggests it."""
    VERSION = "version"
    """Another version of the workers is to go on with it."""
    FORCED = "forced"
    """The history became too long to wait for writes; the next run repeats them."""


class RunLength:
    """How long the history of the present run is."""

    def __init__(self) -> None:
        self.signals = 0

    @property
    def should_end(self) -> bool:
        """Whether the run starts no further write."""
        info = workflow.info()
        return (
            self.signals >= MAX_SIGNALS
            or info.is_continue_as_new_suggested()
            or info.is_target_worker_deployment_version_changed()
        )

    @property
    def must_end(self) -> bool:
        """Whether the run ends although writes are in flight."""
        length = workflow.info().get_current_history_length()
        return self.signals >= HARD_SIGNALS or length >= HARD_EVENTS

    def cause(self, *, is_idle: bool) -> Cause:
        """Return why the run ends.

        Args:
            is_idle: Whether everything that it had begun is finished.
        """
        if not is_idle:
            return Cause.FORCED
        if self.signals >= MAX_SIGNALS:
            return Cause.SIGNALS
        is_moving = workflow.info().is_target_worker_deployment_version_changed()
        return Cause.VERSION if is_moving else Cause.HISTORY
