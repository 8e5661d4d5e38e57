"""The workflow of `own_workflow`, a recorded history, as it was when that was recorded."""

from dataclasses import asdict, dataclass

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker

from batching_demo import BatchingPlugin, Record, Requester

TASK_QUEUE = "orders"


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


def build_worker(client: Client) -> Worker:
    """Return a worker of the workflow."""
    return Worker(
        client, task_queue=TASK_QUEUE, workflows=[OrderWorkflow], plugins=[BatchingPlugin()]
    )
