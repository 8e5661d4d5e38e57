"""The main workflow: load and prepare a slice, hand it over, wait for every verdict."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from batching_demo.contracts import (
        BATCHER_TASK_QUEUE,
        SUBMIT_SIGNAL,
        VERDICTS_SIGNAL,
        WRITE_UNBATCHED_ACTIVITY,
        Verdicts,
        WritePath,
        batcher_workflow_id,
    )
    from batching_demo.main_service.activities import load_records, prepare_records
    from batching_demo.main_service.answers import Answers
    from batching_demo.main_service.messages import MainInput, MainResult, PrepareInput
    from batching_demo.main_service.packing import unpack
    from batching_demo.main_service.parcels import Parcel, parcels

SHORTEST_PATIENCE_SECONDS = 60.0
LONGEST_PATIENCE_SECONDS = 600.0
LONGEST_WAIT_FOR_BATCHER_SECONDS = 60.0


@workflow.defn(name="MainWorkflow")
class MainWorkflow:
    """One slice of the input."""

    @workflow.init
    def __init__(self, main_input: MainInput) -> None:
        self._input = main_input
        self._answers = Answers()

    @workflow.run
    async def run(self, main_input: MainInput) -> MainResult:
        """Return the counts once every record of the slice has its verdict."""
        prepared = await self._prepare()
        started = workflow.time()
        if main_input.write_path is WritePath.UNBATCHED:
            await self._write_unbatched(prepared)
        else:
            await self._submit_until_answered(prepared)
        return self._result(prepared, workflow.time() - started)

    @workflow.signal(name=VERDICTS_SIGNAL)
    def verdicts(self, *arguments: Any) -> None:
        """Take verdicts. Any arguments are accepted: the SDK drops what it cannot convert."""
        if problem := self._answers.read(arguments):
            workflow.logger.warning("malformed verdicts signal: %s", problem)

    async def _prepare(self) -> list[Parcel]:
        """Load and prepare the slice."""
        source, slice_ = self._input.source, self._input.slice
        raw = await workflow.execute_activity(
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
        packed = await workflow.execute_activity(
            prepare_records,
            args=[prepare_input, raw],
            start_to_close_timeout=timedelta(seconds=60),
            summary=f"{slice_.records} records",
        )
        return parcels(unpack(packed))

    async def _write_unbatched(self, prepared: Sequence[Parcel]) -> None:
        """Have each record written by itself."""
        for parcel in prepared:
            verdicts = await workflow.execute_activity(
                WRITE_UNBATCHED_ACTIVITY,
                args=[parcel.headers, parcel.records],
                result_type=list[Verdicts],
                task_queue=BATCHER_TASK_QUEUE,
                start_to_close_timeout=timedelta(seconds=60),
                heartbeat_timeout=timedelta(seconds=10),
            )
            self._answers.take(verdicts)

    async def _submit_until_answered(self, prepared: Sequence[Parcel]) -> None:
        """Submit, and submit again what stays unanswered: an answer or a batcher may be lost."""
        patience = max(SHORTEST_PATIENCE_SECONDS, 3 * self._input.linger_seconds)
        while unanswered := self._unanswered(prepared):
            await self._deliver(unanswered)
            try:
                await workflow.wait_condition(
                    lambda: not self._unanswered(prepared),
                    timeout=self._jittered(patience),
                    timeout_summary="verdict overdue",
                )
            except TimeoutError:
                patience = min(2 * patience, LONGEST_PATIENCE_SECONDS)

    async def _deliver(self, prepared: Sequence[Parcel]) -> None:
        """Signal each parcel to its batcher; wait for batchers that do not run."""
        pause = 1.0
        while prepared := await self._undelivered(prepared):
            missing = ", ".join(dict.fromkeys(batcher_workflow_id(p.shard) for p in prepared))
            advice = f"waiting for {missing}: start it with `batching-demo batcher start`"
            workflow.set_current_details(advice)
            workflow.logger.warning(advice)
            await workflow.sleep(self._jittered(pause), summary="batcher missing")
            pause = min(2 * pause, LONGEST_WAIT_FOR_BATCHER_SECONDS)
        workflow.set_current_details("waiting for verdicts")

    async def _undelivered(self, prepared: Sequence[Parcel]) -> list[Parcel]:
        delivered = await asyncio.gather(*(self._signal(parcel) for parcel in prepared))
        return [parcel for parcel, done in zip(prepared, delivered, strict=True) if not done]

    async def _signal(self, parcel: Parcel) -> bool:
        """Signal a parcel; tell if its batcher runs."""
        batcher = workflow.get_external_workflow_handle(batcher_workflow_id(parcel.shard))
        try:
            await batcher.signal(SUBMIT_SIGNAL, args=[parcel.headers, parcel.records])
        except ApplicationError:
            return False
        return True

    def _unanswered(self, prepared: Sequence[Parcel]) -> list[Parcel]:
        return [
            parcel
            for parcel in prepared
            if any(self._answers.answer_to(header) is None for header in parcel.headers)
        ]

    def _jittered(self, seconds: float) -> float:
        return seconds * workflow.random().uniform(0.9, 1.1)

    def _result(self, prepared: Sequence[Parcel], seconds: float) -> MainResult:
        headers = [header for parcel in prepared for header in parcel.headers]
        answers = [self._answers.answer_to(header) for header in headers]
        batch_ids = [answer.batch_id for answer in answers if answer and answer.batch_id]
        return MainResult(
            **self._answers.counts(headers),
            verdict_seconds=seconds,
            batch_ids=list(dict.fromkeys(batch_ids)),
        )
