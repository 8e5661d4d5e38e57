"""Start a main workflow for every slice of the input, and gather their results."""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from typing import Any

from temporalio.client import (
    Client,
    WorkflowFailureError,
    WorkflowHandle,
)
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import TerminatedError, WorkflowAlreadyStartedError
from temporalio.service import RPCError

from batching_demo.contracts.names import MAIN_TASK_QUEUE, MAIN_WORKFLOW
from batching_demo.main_service.messages import MainInput, MainResult, RunOptions, Slice, Source
from batching_demo.main_service.run_options import MOST_OPEN, with_run_ids
from batching_demo.main_service.summary import SliceResult, Summary
from batching_demo.temporal.executions import COMPLETED, describe_execution
from batching_demo.temporal.search_attributes import (
    RUN_LABEL,
    WRITE_PATH,
    attributes,
    registered_attributes,
)

MainHandle = WorkflowHandle[Any, MainResult]
POLLS_AT_ONCE = 500
"""Long polls for results; the server allows a namespace about 1,200, those of workers included."""


class Starter:
    """Starts main workflows over sources, and counts what becomes of their records.

    Args:
        client: Of the namespace.
        options: How to treat inputs.
        max_open: Main workflows under way at a time: a batcher cannot refuse what is in its
            history.
        waits: Whether to wait for verdicts.
        on_change: Called with the summary whenever it changes.
        on_result: Called with the result of each workflow.
        task_queue: Of the workers that run the workflows.
    """

    def __init__(
        self,
        client: Client,
        options: RunOptions,
        *,
        max_open: int = MOST_OPEN,
        waits: bool = True,
        on_change: Callable[[Summary], None] = lambda _: None,
        on_result: Callable[[SliceResult], None] = lambda _: None,
        task_queue: str = MAIN_TASK_QUEUE,
    ) -> None:
        self.summary = Summary()
        self._client = client
        self._options = options
        self._max_open = max_open
        self._waits = waits
        self._on_change = on_change
        self._on_result = on_result
        self._task_queue = task_queue
        self._attributes: TypedSearchAttributes | None = None
        self._began = time.monotonic()
        self._polls = asyncio.Semaphore(POLLS_AT_ONCE)
        self._waiting: set[asyncio.Task[None]] = set()
        self._open: dict[str, MainHandle] = {}

    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    async def run(self, work: Iterable[tuple[Source, Slice]]) -> Summary:
        """Start what has not been done yet, and wait for the verdicts if asked to.

        Args:
            work: Slices with their sources, those of one source after those of the other.

        Raises:
            RPCError: Temporal stopped answering.
        """
        self._attributes = attributes(
            await registered_attributes(self._client),
            SearchAttributePair(RUN_LABEL, self._options.run_label),
            SearchAttributePair(WRITE_PATH, self._options.write_path.value),
        )
        turn = asyncio.Semaphore(self._max_open)
        try:
            async with asyncio.TaskGroup() as waits:
                async with asyncio.TaskGroup() as starts:
                    for run, source, slice_ in with_run_ids(work, self._options):
                        await turn.acquire()
                        workflow_id = f"main-{run}-{slice_.position}"
                        main_input = MainInput(source, slice_, self._options)
                        starts.create_task(self._take(workflow_id, main_input, turn, waits))
                if not self._waits:
                    for task in self._waiting:
                        task.cancel()
        except BaseExceptionGroup as errors:
            raise first_error(errors) from None
        self.summary.seconds = self._elapsed()
        return self.summary

    async def _take(
        self,
        workflow_id: str,
        main_input: MainInput,
        turn: asyncio.Semaphore,
        waits: asyncio.TaskGroup,
    ) -> None:
        """Start a slice's workflow; whoever waits for it gives the turn back."""
        slice_ = main_input.slice
        self.summary.workflows += 1
        self.summary.read += slice_.records
        handle = await self._start(workflow_id, main_input)
        if handle is None:
            self.summary.already_done += slice_.records
            turn.release()
        else:
            self.summary.pending += slice_.records
            task = waits.create_task(self._gather(handle, slice_))
            self._waiting.add(task)
            task.add_done_callback(self._waiting.discard)
            task.add_done_callback(lambda _: turn.release())
        self._on_change(self.summary)

    async def _start(self, workflow_id: str, main_input: MainInput) -> MainHandle | None:
        """Start a workflow or attach to it; None if it has completed before."""
        source, line = main_input.source, main_input.slice.first_line
        try:
            handle = await self._client.start_workflow(
                MAIN_WORKFLOW,
                main_input,
                id=workflow_id,
                task_queue=self._task_queue,
                result_type=MainResult,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                search_attributes=self._attributes,
                static_summary=f"{source.name} from line {line}",
            )
        except WorkflowAlreadyStartedError:
            handle = self._client.get_workflow_handle(workflow_id, result_type=MainResult)
            if (await describe_execution(self._client, workflow_id)).status == COMPLETED:
                return None
            self.summary.attached += 1
            return handle
        self.summary.started += 1
        return handle

    async def _gather(self, handle: MainHandle, slice_: Slice) -> None:
        self._open[handle.id] = handle
        try:
            async with self._polls:
                result = await handle.result()
        except WorkflowFailureError as error:
            self.summary.failures.append(f"{handle.id}: {_reason(error.cause)}")
            return
        del self._open[handle.id]
        if not self._waits:
            return
        self.summary.add(slice_.records, result)
        self._on_change(self.summary)
        self._on_result(SliceResult(handle.id, slice_.records, result, self._elapsed()))

    @property
    def open_workflows(self) -> Collection[str]:
        """The ids of the workflows that are waited for."""
        return self._open.keys()

    async def terminate_open(self, reason: str) -> None:
        """Terminate the workflows that were waited for and still run."""
        for handle in self._open.values():
            with suppress(RPCError):
                await handle.terminate(reason=reason)


def _reason(cause: BaseException) -> str:
    """Say why a workflow ended without a result."""
    if isinstance(cause, TerminatedError):
        return f"was terminated in Temporal ({cause.message}): the same command starts it again"
    return str(cause.__cause__ or cause)


def first_error(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first of errors that task groups have wrapped."""
    error = errors.exceptions[0]
    return first_error(error) if isinstance(error, BaseExceptionGroup) else error
