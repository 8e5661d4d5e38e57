"""Start a main workflow for every slice of the input, and gather their results."""

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field

from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from batching_demo.contracts import DEFAULT_RUN_LABEL, MAIN_TASK_QUEUE, WritePath
from batching_demo.main_service.messages import MainInput, MainResult, Slice, Source
from batching_demo.main_service.workflows import MainWorkflow

STARTS_AT_ONCE = 50


@dataclass
class Summary:
    """What became of the records of one run of the starter; `read` is the sum of the others."""

    read: int = 0
    written: int = 0
    duplicate: int = 0
    conflict: int = 0
    rejected: int = 0
    already_done: int = 0
    pending: int = 0
    """Records without a verdict: still running, or their workflow failed."""
    workflows: int = 0
    started: int = 0
    attached: int = 0
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)

    def add(self, records: int, result: MainResult) -> None:
        """Count the verdicts of a workflow that has ended."""
        self.pending -= records
        self.written += result.written
        self.duplicate += result.duplicate
        self.conflict += result.conflict
        self.rejected += result.rejected


@dataclass(frozen=True)
class Outcome:
    """One main workflow that this run started or attached to."""

    workflow_id: str
    records: int
    result: MainResult
    finished_at: float
    """Seconds after this run began."""


@dataclass(frozen=True)
class RunOptions:
    """How a run of the starter treats its input."""

    key_columns: list[str]
    records_per_workflow: int = 1
    max_records: int = 100
    shards: int = 1
    linger_seconds: float = 20.0
    write_path: WritePath = WritePath.BATCHED
    run_label: str = DEFAULT_RUN_LABEL
    key_prefix: str = ""
    max_open: int = 1000
    wait: bool = True


def run_id(source: Source, options: RunOptions) -> str:
    """Digest all that decides what a run's workflows do, so that the same run has the same ids."""
    decides: Sequence[object] = (
        source.digest,
        source.format,
        source.encoding,
        source.delimiter,
        options.key_columns,
        options.key_prefix,
        options.write_path.value,
        options.run_label,
        options.records_per_workflow,
    )
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]


class Starter:
    """Starts main workflows over one source, at most `max_open` at a time."""

    def __init__(
        self,
        client: Client,
        source: Source,
        options: RunOptions,
        on_change: Callable[[Summary], None] = lambda _: None,
    ) -> None:
        self.summary = Summary()
        self.outcomes: list[Outcome] = []
        self._client = client
        self._source = source
        self._options = options
        self._on_change = on_change
        self._run_id = run_id(source, options)
        self._began = time.monotonic()
        self._open: dict[str, WorkflowHandle[MainWorkflow, MainResult]] = {}

    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    async def run(self, slices: Iterable[Slice]) -> Summary:
        """Start what has not been done yet, and wait for the verdicts if asked to."""
        turn = asyncio.Semaphore(self._options.max_open if self._options.wait else STARTS_AT_ONCE)
        try:
            async with asyncio.TaskGroup() as group:
                for slice_ in slices:
                    await turn.acquire()
                    task = group.create_task(self._take(slice_))
                    task.add_done_callback(lambda _: turn.release())
        except* Exception as errors:
            raise errors.exceptions[0] from None
        self.summary.seconds = self._elapsed()
        return self.summary

    async def _take(self, slice_: Slice) -> None:
        summary = self.summary
        summary.workflows += 1
        summary.read += slice_.records
        handle = await self._start(slice_)
        if handle is None:
            summary.already_done += slice_.records
        else:
            summary.pending += slice_.records
            if self._options.wait:
                await self._gather(handle, slice_)
        self._on_change(summary)

    async def _start(self, slice_: Slice) -> WorkflowHandle[MainWorkflow, MainResult] | None:
        """Start a workflow or attach to it; None if it has completed before."""
        workflow_id = f"main-{self._run_id}-{slice_.position}"
        try:
            handle = await self._client.start_workflow(
                MainWorkflow.run,
                self._input(slice_),
                id=workflow_id,
                task_queue=MAIN_TASK_QUEUE,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                static_summary=f"{self._source.name} from line {slice_.first_line}",
            )
        except WorkflowAlreadyStartedError:
            handle = self._client.get_workflow_handle_for(MainWorkflow.run, workflow_id)
            if (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED:
                return None
            self.summary.attached += 1
            return handle
        self.summary.started += 1
        return handle

    async def _gather(
        self, handle: WorkflowHandle[MainWorkflow, MainResult], slice_: Slice
    ) -> None:
        self._open[handle.id] = handle
        try:
            result = await handle.result()
        except WorkflowFailureError as error:
            cause = error.cause.__cause__ or error.cause
            self.summary.failures.append(f"{handle.id}: {cause}")
            return
        del self._open[handle.id]
        self.summary.add(slice_.records, result)
        self.outcomes.append(Outcome(handle.id, slice_.records, result, self._elapsed()))

    async def terminate_open(self, reason: str) -> None:
        """Terminate the workflows that were waited for and still run."""
        for handle in self._open.values():
            with suppress(RPCError):
                await handle.terminate(reason=reason)

    def _input(self, slice_: Slice) -> MainInput:
        options = self._options
        return MainInput(
            source=self._source,
            slice=slice_,
            key_columns=options.key_columns,
            write_path=options.write_path,
            run_label=options.run_label,
            key_prefix=options.key_prefix,
            max_records=options.max_records,
            shards=options.shards,
            linger_seconds=options.linger_seconds,
        )


def counts(summary: Summary, *, waited: bool) -> dict[str, object]:
    """Give the counts that `--json` prints; verdicts are unknown to who did not wait for them."""
    all_counts = asdict(summary)
    verdicts = ("written", "duplicate", "conflict", "rejected")
    shown: dict[str, object] = {"read": summary.read}
    shown |= {name: all_counts[name] if waited else None for name in verdicts}
    shown["already_done"] = summary.already_done
    if summary.pending or not waited:
        shown["pending"] = summary.pending
    return shown | {"workflows": summary.workflows, "seconds": round(summary.seconds, 3)}
