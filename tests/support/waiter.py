"""A requester that ends with its first answer."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from batching_demo.contracts.messages import Verdicts
    from batching_demo.contracts.names import VERDICTS_SIGNAL


@workflow.defn
class Waiter:
    """A requester that ends with its first answer."""

    def __init__(self) -> None:
        self.codes = ""

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.codes != "")
        return self.codes

    @workflow.signal(name=VERDICTS_SIGNAL)
    def verdicts(self, verdicts: list[Verdicts]) -> None:
        self.codes = verdicts[0].codes
