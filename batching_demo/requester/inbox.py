"""What all requesters of a workflow share: its signal handlers, and its current details."""

import asyncio
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
        """Calls of `Requester.write`, which gives each an id of its own."""
        self.preparation = asyncio.Lock()
        """Held while records are prepared by an activity."""
        self._waiting = 0
        self._details = ""

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

    def write_begins(self) -> None:
        """Keep the workflow's own current details: a write that waits shows others."""
        if not self._waiting:
            self._details = workflow.get_current_details()
        self._waiting += 1

    def write_ended(self) -> None:
        """Put the workflow's own current details back after the last write.

        Not from a `finally`: that of a workflow that its worker has dropped runs anywhere.
        """
        self._waiting -= 1
        if not self._waiting:
            workflow.set_current_details(self._details)

    def take_verdicts(self, *arguments: Any) -> None:
        """Handle a verdicts signal; log one that is malformed."""
        if problem := self.answers.read_verdicts(arguments):
            workflow.logger.warning("malformed verdicts signal: %s", problem)

    def take_busy(self, *arguments: Any) -> None:
        """Handle a busy signal; log one that is malformed."""
        if problem := self.answers.read_busy(arguments, workflow.time()):
            workflow.logger.warning("malformed busy signal: %s", problem)
