"""Make a request for every slice of the input, without a workflow, and gather the answers."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from temporalio.client import ActivityFailureError, Client
from temporalio.exceptions import ApplicationError

from batching_demo.contracts.direct import MAX_REQUEST_RECORDS
from batching_demo.contracts.encoding import PreparedRecord
from batching_demo.main_service.files.read import read_slice
from batching_demo.main_service.messages import MainResult, RunOptions, Slice, Source
from batching_demo.main_service.preparation import prepare
from batching_demo.main_service.run_options import MOST_OPEN, with_run_ids
from batching_demo.main_service.starter import POLLS_AT_ONCE, first_error
from batching_demo.main_service.summary import SliceResult, Summary
from batching_demo.requester.client import BatchingClient
from batching_demo.requester.records import Record, RecordResult

RECORDS_PER_REQUEST = MAX_REQUEST_RECORDS // 2
"""Of a file. More save nothing, and each request would take longer."""


class DirectStarter:
    """Makes requests for the slices of sources, and counts what becomes of their records.

    The same slices, with the same options, make the same requests. So they get the same verdicts.

    Args:
        client: Of the namespace that the batcher workers serve.
        options: How to treat inputs; `records_per_workflow` are those of a request.
        max_open: Requests under way at a time.
        on_change: Called with the summary whenever it changes.
        on_result: Called with the result of each request.
        name: What rows and dead letters name as their source, in place of the input.
        summary: Counts further, for whoever needs the counts of a run that was interrupted.
    """

    def __init__(
        self,
        client: Client,
        options: RunOptions,
        *,
        max_open: int = MOST_OPEN,
        on_change: Callable[[Summary], None] = lambda _: None,
        on_result: Callable[[SliceResult], None] = lambda _: None,
        name: str = "",
        summary: Summary | None = None,
    ) -> None:
        self.summary = summary or Summary()
        self._client = client
        self._options = options
        self._turn = asyncio.Semaphore(min(max_open, POLLS_AT_ONCE))
        self._on_change = on_change
        self._on_result = on_result
        self._name = name
        self._began = time.monotonic()

    async def run(self, work: Iterable[tuple[Source, Slice]]) -> Summary:
        """Make the requests, and wait for the answers.

        Args:
            work: Slices with their sources, those of one source after those of the other.

        Raises:
            RPCError: Temporal stopped answering.
        """
        writing: BatchingClient | None = None
        of: Source | None = None
        try:
            async with asyncio.TaskGroup() as requests:
                for run, source, slice_ in with_run_ids(work, self._options):
                    if writing is None or source is not of:
                        of, name = source, self._name or source.name
                        writing = BatchingClient(self._client, source=name)
                    await self._turn.acquire()
                    request_id = f"direct-{run}-{slice_.position}"
                    request = self._request(writing, request_id, source, slice_)
                    task = requests.create_task(request)
                    task.add_done_callback(lambda _: self._turn.release())
        except BaseExceptionGroup as errors:
            raise first_error(errors) from None
        finally:
            self.summary.seconds = time.monotonic() - self._began
        return self.summary

    async def _request(
        self, writing: BatchingClient, request_id: str, source: Source, slice_: Slice
    ) -> None:
        """Make one request, and count its verdicts."""
        self.summary.requests += 1
        self.summary.read += slice_.records
        self.summary.pending += slice_.records
        self._on_change(self.summary)
        records = await asyncio.to_thread(_records, source, slice_, self._options)
        began = time.monotonic()
        try:
            target = self._options.target
            results = await writing.write(records, target=target, request_id=request_id)
        except (ApplicationError, ActivityFailureError) as error:
            self.summary.failures.append(f"{request_id}: {error.cause or error}")
            return
        result = _counted(results, time.monotonic() - began)
        self.summary.add(slice_.records, result)
        self._on_change(self.summary)
        after = time.monotonic() - self._began
        self._on_result(SliceResult(request_id, slice_.records, result, after))


def _records(source: Source, slice_: Slice, options: RunOptions) -> list[Record]:
    """Return the records of a slice, the bad ones with what is wrong with them."""
    prepared = prepare(source, slice_, read_slice(source, slice_), options)
    return list(map(_record, prepared))


def _record(prepared: PreparedRecord) -> Record:
    return Record(prepared.key, prepared.payload, prepared.line, prepared.rejection)


def _counted(results: Sequence[RecordResult], seconds: float) -> MainResult:
    verdicts = Counter(result.verdict.value for result in results)
    batches = dict.fromkeys(result.batch_id for result in results if result.batch_id)
    return MainResult(**verdicts, verdict_seconds=seconds, batch_ids=list(batches))
