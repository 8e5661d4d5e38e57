"""The main workflow: load and prepare a slice, hand it over, wait for every verdict."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from batching_demo.contracts.counts import count
    from batching_demo.contracts.encoding import unpack
    from batching_demo.contracts.messages import Submission, count_verdicts
    from batching_demo.contracts.names import MAIN_WORKFLOW
    from batching_demo.main_service.messages import (
        LOAD_RECORDS,
        PREPARE_RECORDS,
        MainInput,
        MainResult,
    )
    from batching_demo.requester.requester import Requester

LONGEST_PREPARATION = timedelta(seconds=60)


@workflow.defn(name=MAIN_WORKFLOW)
class MainWorkflow:
    """One slice of the input."""

    @workflow.run
    async def run(self, main_input: MainInput) -> MainResult:
        """Return the counts once every record of the slice has its verdict."""
        options = main_input.options
        requester = Requester(
            options.settings, shards=options.shards, write_path=options.write_path
        )
        submissions = await load_and_prepare(main_input)
        started = workflow.time()
        answers = await requester.submit(submissions, deadline_seconds=options.deadline_seconds)
        batch_ids = [answer.batch_id for answer in answers if answer.batch_id]
        return MainResult(
            **count_verdicts(answers),
            verdict_seconds=workflow.time() - started,
            batch_ids=list(dict.fromkeys(batch_ids)),
        )


async def load_and_prepare(main_input: MainInput) -> list[Submission]:
    """Return a slice's submissions, from local activities, which save most of the history."""
    source, slice_ = main_input.source, main_input.slice
    raw = await workflow.execute_local_activity(
        LOAD_RECORDS,
        args=[source, slice_],
        result_type=bytes,
        start_to_close_timeout=LONGEST_PREPARATION,
        summary=f"{source.name} from line {slice_.first_line}",
    )
    packed = await workflow.execute_local_activity(
        PREPARE_RECORDS,
        args=[main_input, workflow.info().workflow_id, raw],
        result_type=bytes,
        start_to_close_timeout=LONGEST_PREPARATION,
        summary=count(slice_.records, "record"),
    )
    return unpack(packed)
