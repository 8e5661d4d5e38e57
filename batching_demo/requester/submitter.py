"""Signal submissions to batchers, those of many workflows in one signal.

The activity is a local one, on the worker of the submitting workflows. So its arguments appear in
no history but the batcher's. A workflow needs no further workflow task to learn that its signal has
arrived.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from batching_demo.contracts.encoding import join, split
from batching_demo.contracts.limits import KIB, MAX_BATCH_BYTES
from batching_demo.contracts.messages import SubmissionHeader
from batching_demo.contracts.names import SUBMIT_SIGNAL, batcher_workflow_id
from batching_demo.requester.messages import SUBMIT_ACTIVITY, SubmitInput
from batching_demo.requester.submissions import group

GATHERED_SUBMISSIONS = 100
"""A signal with so many submissions gathers no more, and is sent."""
GATHERED_BYTES = 16 * KIB
"""So is a signal with so many bytes. Larger ones cost by their bytes: to gather saves nothing."""


@dataclass
class _Signal:
    """A signal that still gathers messages. `delivered` says whether it was sent."""

    delivered: asyncio.Future[bool]
    headers: list[SubmissionHeader] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    """Bytes of headers and records."""
    record_bytes: int = 0

    def add(self, headers: Sequence[SubmissionHeader], records: bytes) -> None:
        self.headers += headers
        self.parts.append(records)
        self.size += size_of(headers, records)
        self.record_bytes += len(records)

    @property
    def is_large(self) -> bool:
        return self.record_bytes >= GATHERED_BYTES or len(self.headers) >= GATHERED_SUBMISSIONS


def size_of(headers: Sequence[SubmissionHeader], records: bytes) -> int:
    """Return the bytes of headers and records in a signal."""
    return len(records) + sum(header.size for header in headers)


class Submitter:
    """Gathers the messages of all workflows of one worker, by shard.

    Args:
        client: Sends the signals.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._gathering: dict[int, _Signal] = {}
        self._sending: set[asyncio.Task[None]] = set()

    @activity.defn(name=SUBMIT_ACTIVITY)
    async def submit_to_batcher(self, submit_input: SubmitInput, records: bytes) -> bool:
        """Signal a message, with others for the same shard. Return whether the batcher runs.

        Args:
            submit_input: The headers, and where they go.
            records: The joined records of the submissions.

        Raises:
            RPCError: The server did not take the signal. The activity is then tried again.
        """
        shard, seconds = submit_input.shard, submit_input.gather_seconds
        if size_of(submit_input.headers, records) <= MAX_BATCH_BYTES:
            return await self._gather(shard, submit_input.headers, records, seconds)
        # Of a workflow that counts the sizes of its messages as earlier code did.
        parts = [join(part.submissions) for part in group(split(submit_input.headers, records))]
        delivered = (self._gather(shard, *part, seconds) for part in parts)
        return all(await asyncio.gather(*delivered))

    def _gather(
        self, shard: int, headers: Sequence[SubmissionHeader], records: bytes, seconds: float
    ) -> asyncio.Future[bool]:
        """Add a message to the signal that gathers for its shard, and return what becomes of it."""
        signal = self._gathering.get(shard)
        if signal and signal.size + size_of(headers, records) > MAX_BATCH_BYTES:
            self._send(shard, signal)
            signal = None
        if signal is None:
            loop = asyncio.get_running_loop()
            signal = self._gathering[shard] = _Signal(loop.create_future())
            loop.call_later(seconds, self._send, shard, signal)
        signal.add(headers, records)
        if signal.is_large:
            self._send(shard, signal)
        # Shielded: others wait for the same signal, and a workflow that is cancelled must not
        # cancel it for them.
        return asyncio.shield(signal.delivered)

    def _send(self, shard: int, signal: _Signal) -> None:
        if self._gathering.get(shard) is not signal:
            return
        del self._gathering[shard]
        task = asyncio.create_task(self._deliver(shard, signal))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _deliver(self, shard: int, signal: _Signal) -> None:
        batcher = self._client.get_workflow_handle(batcher_workflow_id(shard))
        try:
            await batcher.signal(SUBMIT_SIGNAL, args=[signal.headers, b"".join(signal.parts)])
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                signal.delivered.set_result(False)
            else:
                signal.delivered.set_exception(error)
        except Exception as error:  # those who wait would wait for ever
            signal.delivered.set_exception(error)
        else:
            signal.delivered.set_result(True)
