"""The signal handlers that all requesters of a workflow share."""

from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from batching_demo.contracts.names import BUSY_SIGNAL, VERDICTS_SIGNAL
    from batching_demo.requester.answers import Answers


class Inbox:
    """The signal handlers of a workflow, shared by all of its requesters.

    They take any arguments: the SDK would drop a signal that does not fit the types of its handler.
    """

    def __init__(self) -> None:
        self.answers = Answers()
        self.writes = 0
        """Calls of `Requester.write` so far. The number is part of the ids of their submissions."""

    @classmethod
    def of_workflow(cls) -> "Inbox":
        """Return the inbox of the running workflow; the first call registers its handlers."""
        registered = workflow.get_signal_handler(VERDICTS_SIGNAL)
        inbox = getattr(registered, "__self__", None)
        if isinstance(inbox, Inbox):
            return inbox
        inbox = cls()
        workflow.set_signal_handler(VERDICTS_SIGNAL, inbox.take_verdicts)
        workflow.set_signal_handler(BUSY_SIGNAL, inbox.take_busy)
        return inbox

    def take_verdicts(self, *arguments: Any) -> None:
        """Handle a verdicts signal; log one that is malformed."""
        if problem := self.answers.read_verdicts(arguments):
            workflow.logger.warning("malformed verdicts signal: %s", problem)

    def take_busy(self, *arguments: Any) -> None:
        """Handle a busy signal; log one that is malformed."""
        if problem := self.answers.read_busy(arguments, workflow.time()):
            workflow.logger.warning("malformed busy signal: %s", problem)
