"""Workflows that stand in for requesters; the sandbox loads this file. PYTEST_DONT_REWRITE"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from batching_demo.contracts.messages import Busy, Verdicts
    from batching_demo.contracts.names import BUSY_SIGNAL, VERDICTS_SIGNAL


@workflow.defn
class Collector:
    """A requester that only keeps what it is told."""

    def __init__(self) -> None:
        self.received: list[Verdicts] = []
        self.busy_answers: list[Busy] = []

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.signal(name=VERDICTS_SIGNAL)
    def verdicts(self, verdicts: list[Verdicts]) -> None:
        self.received += verdicts

    @workflow.signal(name=BUSY_SIGNAL)
    def busy(self, busy: Busy) -> None:
        self.busy_answers.append(busy)

    @workflow.query
    def answers(self) -> dict[str, str]:
        """Return codes by submission; told twice means told the same."""
        codes = {answer.submission_id: answer.codes for answer in self.received}
        assert all(codes[answer.submission_id] == answer.codes for answer in self.received)
        return codes

    @workflow.query
    def turned_away(self) -> int:
        """Count the submissions that were told to come back later."""
        told = {name for busy in self.busy_answers for name in busy.submission_ids}
        return len(told)


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
