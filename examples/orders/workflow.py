"""A workflow of your own that has a row to write."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from batching_demo.contracts.messages import VERDICT_BY_CODE, Submission, SubmissionHeader
    from batching_demo.contracts.names import BUSY_SIGNAL, VERDICTS_SIGNAL
    from batching_demo.requester.requester import Requester
    from examples.orders.prepare import Order, prepare_order


@dataclass(frozen=True)
class OrderInput:
    """What a workflow is started with."""

    order: Order
    linger_seconds: float = 20.0
    """The batcher's, to know when an answer is overdue."""


@workflow.defn
class OrderWorkflow:
    """One order."""

    @workflow.init
    def __init__(self, order_input: OrderInput) -> None:
        self._requester = Requester()

    @workflow.run
    async def run(self, order_input: OrderInput) -> str:
        """Return what became of the order's row."""
        # Whatever else your workflow does goes before, after, or beside this.
        encoded = await workflow.execute_local_activity(
            prepare_order, order_input.order, start_to_close_timeout=timedelta(seconds=10)
        )
        (verdicts,) = await self._requester.submit(
            [(_submission(encoded), encoded)], linger_seconds=order_input.linger_seconds
        )
        return VERDICT_BY_CODE[verdicts.codes].value

    @workflow.signal(name=VERDICTS_SIGNAL)
    def verdicts(self, *arguments: Any) -> None:
        """Take verdicts. Any arguments are accepted: the SDK drops what it cannot convert."""
        self._requester.take_verdicts(arguments)

    @workflow.signal(name=BUSY_SIGNAL)
    def busy(self, *arguments: Any) -> None:
        """Take a busy answer: the order has to be sent again, later."""
        self._requester.take_busy(arguments)


def _submission(encoded: bytes) -> Submission:
    """Describe the only submission of this workflow: its id must never change."""
    workflow_id = workflow.info().workflow_id
    header = SubmissionHeader(
        submission_id=f"{workflow_id}/0",
        requester=workflow_id,
        records=1,
        length=len(encoded),
        source="orders",
    )
    return Submission(shard=0, header=header)
