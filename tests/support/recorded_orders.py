"""The workflow of `own_workflow`, a recorded history, as it was then. PYTEST_DONT_REWRITE"""

from dataclasses import asdict, dataclass

from temporalio import workflow

from batching_demo import Record, Requester


@dataclass(frozen=True)
class Order:
    """What is to be stored."""

    order_id: str
    item: str
    quantity: int


@workflow.defn
class OrderWorkflow:
    """One order."""

    @workflow.run
    async def run(self, order: Order) -> str:
        """Return what became of the order's record."""
        record = Record(key=f"order/{order.order_id}", payload=asdict(order))
        [result] = await Requester(source="orders").write([record])
        return result.verdict
