"""Make requests without a workflow while faults happen, half of them twice, and gather results."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError

from batching_demo.contracts.names import DIRECT
from batching_demo.contracts.targets import RECORDS_TARGET
from batching_demo.requester.client import BatchingClient
from batching_demo.requester.records import Record, RecordResult
from tools.chaos.load import Results
from tools.chaos.records import KEY

RECORDS_PER_REQUEST = 5


@dataclass
class DirectLoad:
    """The requests of one run."""

    requests: Sequence[Sequence[Record]]
    target: str = RECORDS_TARGET
    answered_at: float = 0.0
    """When the last answer came, by the monotonic clock."""
    _running: list[asyncio.Task[list[RecordResult]]] = field(default_factory=list)

    @classmethod
    def of(cls, path: Path, target: str = RECORDS_TARGET) -> "DirectLoad":
        """Cut a file into requests."""
        return cls(cut_requests(path), target)

    def __len__(self) -> int:
        return len(self.requests)

    async def send(self, client: Client, seconds: float) -> None:
        """Make the requests at a constant rate over some seconds."""
        batching = BatchingClient(client, source=DIRECT)
        began = time.monotonic()
        for number, records in enumerate(self.requests):
            await asyncio.sleep(began + number * seconds / len(self) - time.monotonic())
            task = asyncio.create_task(_request(batching, number, records, self.target))
            task.add_done_callback(self._answered)
            self._running.append(task)

    def _answered(self, _: asyncio.Task[list[RecordResult]]) -> None:
        self.answered_at = time.monotonic()

    async def gather(self, client: Client, results: Results, within: float) -> None:
        """Wait for every request to be answered, at most `within` seconds."""
        await asyncio.wait(self._running, timeout=within)
        for number, task in enumerate(self._running):
            gather_request(task, _request_id(self.target, number), results)


def gather_request(task: asyncio.Task[list[RecordResult]], name: str, results: Results) -> None:
    """Add what became of one request. One that is not answered is given up."""
    if not task.done():
        task.cancel()
        results.unfinished.append(name)
    elif task.cancelled():
        results.failed.append(f"{name}: cancelled")
    elif error := task.exception():
        results.failed.append(f"{name}: {error}")
    else:
        results.completed += 1
        decided = task.result()
        results.verdicts += Counter(result.verdict.value for result in decided)
        stored = (result for result in decided if result.verdict.is_stored)
        results.returned += [(result.key, result.returned.get("id")) for result in stored]


def cut_requests(path: Path) -> list[list[Record]]:
    """Return the records of a file, cut into requests."""
    lines = enumerate(path.read_text().splitlines(), 1)
    records = [_record(number, line) for number, line in lines]
    starts = range(0, len(records), RECORDS_PER_REQUEST)
    return [records[at : at + RECORDS_PER_REQUEST] for at in starts]


def _record(number: int, line: str) -> Record:
    key = json.loads(line)[KEY]
    # A blank key is rejected, as the null is that a file may have.
    return Record("" if key is None else key, line, number)


def _request_id(target: str, number: int) -> str:
    return f"{target}-{DIRECT}-{number}"


async def _request(
    batching: BatchingClient, number: int, records: Sequence[Record], target: str
) -> list[RecordResult]:
    """Make a request, every second one twice at once.

    Raises:
        ValueError: Both were answered, but not alike.
    """
    first = _until_answered(batching, number, records, target)
    if number % 2:
        return await first
    one, other = await asyncio.gather(first, _until_answered(batching, number, records, target))
    if one != other:
        raise ValueError("the repetition got another answer")
    return one


async def _until_answered(
    batching: BatchingClient, number: int, records: Sequence[Record], target: str
) -> list[RecordResult]:
    """Make a request again while Temporal is away."""
    while True:
        try:
            return await batching.write(
                records, target=target, request_id=_request_id(target, number)
            )
        except RPCError:
            await asyncio.sleep(0.5)
