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

from batching_demo.requester.client import BatchingClient
from batching_demo.requester.records import Record, RecordResult
from tools.chaos.load import Results
from tools.chaos.records import KEY

RECORDS_PER_REQUEST = 5
DIRECT = "direct"


@dataclass
class DirectLoad:
    """The requests of one run."""

    requests: Sequence[Sequence[Record]]
    _running: list[asyncio.Task[list[RecordResult]]] = field(default_factory=list)

    @classmethod
    def of(cls, path: Path) -> "DirectLoad":
        """Cut a file into requests."""
        records = [_record(line) for line in path.read_text().splitlines()]
        starts = range(0, len(records), RECORDS_PER_REQUEST)
        return cls([records[at : at + RECORDS_PER_REQUEST] for at in starts])

    def __len__(self) -> int:
        return len(self.requests)

    async def send(self, client: Client, seconds: float) -> None:
        """Make the requests at a constant rate over some seconds."""
        began = time.monotonic()
        for number, records in enumerate(self.requests):
            await asyncio.sleep(began + number * seconds / len(self) - time.monotonic())
            self._running.append(asyncio.create_task(_request(client, number, records)))

    async def gather(self, client: Client, results: Results, within: float) -> None:
        """Wait for every request to be answered, at most `within` seconds."""
        await asyncio.wait(self._running, timeout=within)
        for number, task in enumerate(self._running):
            if not task.done():
                task.cancel()
                results.unfinished.append(_request_id(number))
            elif task.cancelled():
                results.failed.append(f"{_request_id(number)}: cancelled")
            elif error := task.exception():
                results.failed.append(f"{_request_id(number)}: {error}")
            else:
                results.completed += 1
                results.verdicts += Counter(result.verdict.value for result in task.result())


def _record(line: str) -> Record:
    key = json.loads(line)[KEY]
    # A blank key is rejected, as the null is that a file may have.
    return Record("" if key is None else key, line)


def _request_id(number: int) -> str:
    return f"{DIRECT}-{number}"


async def _request(client: Client, number: int, records: Sequence[Record]) -> list[RecordResult]:
    """Make a request, every second one twice at once.

    Raises:
        ValueError: Both were answered, but not alike.
    """
    first = _until_answered(client, number, records)
    if number % 2:
        return await first
    one, other = await asyncio.gather(first, _until_answered(client, number, records))
    if one != other:
        raise ValueError("the repetition got another answer")
    return one


async def _until_answered(
    client: Client, number: int, records: Sequence[Record]
) -> list[RecordResult]:
    """Make a request again while Temporal is away. The source tells its dead letters apart."""
    batching = BatchingClient(client, source=_request_id(number))
    while True:
        try:
            return await batching.write(records, request_id=_request_id(number))
        except RPCError:
            await asyncio.sleep(0.5)
