"""A workflow of your own that has a row to store."""

from dataclasses import asdict, dataclass
from typing import Any

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
    async def run(self, order: Order) -> dict[str, Any]:
        """Return the verdict on the order, and the id of its row."""
        record = Record(payload=asdict(order))
        [result] = await Requester().write([record], target="orders")
        return {"verdict": result.verdict, "id": result.returned.get("id")}
