"""The main workflow: load and prepare a slice, hand it over, wait for every verdict."""

from datetime import timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from batching_demo.contracts.messages import Verdicts
    from batching_demo.contracts.names import BUSY_SIGNAL, VERDICTS_SIGNAL, WritePath
    from batching_demo.main_service.activities import load_records, prepare_records
    from batching_demo.main_service.messages import MainInput, MainResult, PrepareInput
    from batching_demo.main_service.packing import unpack
    from batching_demo.requester.answers import count
    from batching_demo.requester.by_activity import write_by_activity
    from batching_demo.requester.grouping import Prepared
    from batching_demo.requester.requester import Requester


@workflow.defn(name="MainWorkflow")
class MainWorkflow:
    """One slice of the input."""

    @workflow.init
    def __init__(self, main_input: MainInput) -> None:
        self._input = main_input
        self._requester = Requester()

    @workflow.run
    async def run(self, main_input: MainInput) -> MainResult:
        """Return the counts once every record of the slice has its verdict."""
        prepared = unpack(await self._prepare())
        started = workflow.time()
        answers = await self._write(prepared)
        batch_ids = [answer.batch_id for answer in answers if answer.batch_id]
        return MainResult(
            **count(answers),
            verdict_seconds=workflow.time() - started,
            batch_ids=list(dict.fromkeys(batch_ids)),
        )

    @workflow.signal(name=VERDICTS_SIGNAL)
    def verdicts(self, *arguments: Any) -> None:
        """Take verdicts. Any arguments are accepted: the SDK drops what it cannot convert."""
        self._requester.take_verdicts(arguments)

    @workflow.signal(name=BUSY_SIGNAL)
    def busy(self, *arguments: Any) -> None:
        """Take a busy answer: some submissions have to be sent again, later."""
        self._requester.take_busy(arguments)

    async def _prepare(self) -> bytes:
        """Load and prepare the slice; in local activities, which save most of the history."""
        source, slice_ = self._input.source, self._input.slice
        raw = await workflow.execute_local_activity(
            load_records,
            args=[source, slice_],
            start_to_close_timeout=timedelta(seconds=60),
            summary=f"{source.name} from line {slice_.first_line}",
        )
        prepare_input = PrepareInput(
            source=source,
            slice=slice_,
            key_columns=self._input.key_columns,
            key_prefix=self._input.key_prefix,
            workflow_id=workflow.info().workflow_id,
            run_label=self._input.run_label,
            max_records=self._input.max_records,
            shards=self._input.shards,
        )
        return await workflow.execute_local_activity(
            prepare_records,
            args=[prepare_input, raw],
            start_to_close_timeout=timedelta(seconds=60),
            summary=f"{slice_.records} records",
        )

    async def _write(self, prepared: Prepared) -> list[Verdicts]:
        path, linger = self._input.write_path, self._input.linger_seconds
        deadline = self._input.deadline_seconds
        if path is WritePath.BATCHED:
            return await self._requester.submit(
                prepared, linger_seconds=linger, deadline_seconds=deadline
            )
        return await write_by_activity(
            path, prepared, linger_seconds=linger, deadline_seconds=deadline
        )
