"""More time for workflows: the machine of the tests stalls for longer than users would wait."""

from functools import wraps
from typing import Any

from temporalio.worker._workflow import _WorkflowWorker

from batching_demo.operator import requests

SECONDS = 60


def give_requests_time() -> None:
    """Let requests to batchers from this process wait for a minute, too."""
    requests.QUERY_SECONDS = requests.UPDATE_SECONDS = SECONDS


def give_workflow_tasks_time() -> None:
    """Let workflows of this process compute for a minute, not two seconds, before they yield.

    The SDK takes a slower workflow task for a deadlock, and raises an exception in its thread
    wherever that is. If that is a callback of the garbage collector, Python can only report it,
    and some other test fails. The SDK has no option for the time.
    """
    create = _WorkflowWorker.__init__

    @wraps(create)
    def create_patient(self: _WorkflowWorker, **arguments: Any) -> None:
        create(self, **arguments)
        assert self._deadlock_timeout_seconds == 2
        self._deadlock_timeout_seconds = SECONDS

    _WorkflowWorker.__init__ = create_patient  # type: ignore[method-assign]  # See above.
