"""The requester: it stores the records of a workflow, and gets a result for each."""

from collections.abc import Sequence
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from batching_demo.contracts.counts import count
    from batching_demo.contracts.encoding import unpack
    from batching_demo.contracts.messages import Submission, SubmissionHeader, Verdicts
    from batching_demo.contracts.names import WritePath, shard_for
    from batching_demo.contracts.operations import BatcherSettings
    from batching_demo.contracts.targets import RECORDS_TARGET
    from batching_demo.requester.by_activity import write_by_activity
    from batching_demo.requester.by_signal import SignalSender
    from batching_demo.requester.inbox import Inbox
    from batching_demo.requester.messages import PREPARE_ACTIVITY
    from batching_demo.requester.queued.sender import QueueSender
    from batching_demo.requester.record_texts import (
        RecordError,
        RecordTexts,
        prepare_submissions,
        record_texts,
    )
    from batching_demo.requester.records import Record, RecordResult, results_of
    from batching_demo.requester.until_answered import UntilAnswered

PREPARED_IN_WORKFLOW = 32 * 1024
"""Characters of all payloads of a call. More are prepared by an activity, since workflow code has
to end soon."""
LONGEST_PREPARATION = timedelta(seconds=60)
SHORTEST_TIMER = timedelta(milliseconds=1)


class Requester:
    """Stores the records of a workflow, and returns a result for each.

    Make one in the workflow's `@workflow.init` or `@workflow.run`; it registers its own signal
    handlers. The worker needs the `BatchingPlugin`.

    Args:
        settings: The settings of the batchers. They bound a submission, and tell when an answer is
            overdue.
        shards: How many batchers run. A workflow sends all its records to one of them.
        write_path: How records reach Postgres.
        source: What rows and dead letters name as their source; by default the workflow type.
    """

    def __init__(
        self,
        settings: BatcherSettings | None = None,
        *,
        shards: int = 1,
        write_path: WritePath = WritePath.BATCHED,
        source: str = "",
    ) -> None:
        self._settings = settings or BatcherSettings()
        self._shards = shards
        self._write_path = write_path
        self._source = source
        self._inbox = Inbox.of_workflow()
        linger = self._settings.linger_seconds
        sender = QueueSender() if write_path == WritePath.QUEUED else SignalSender(linger)
        self._until_answered = UntilAnswered(self._inbox, linger, sender)

    async def write(
        self,
        records: Sequence[Record],
        *,
        target: str = RECORDS_TARGET,
        deadline_seconds: float | None = None,
    ) -> list[RecordResult]:
        """Have records stored, and return the result of each, in their order.

        A record that cannot be stored does not fail the call: its result says why, and it is kept
        as a dead letter. A replay or a reset may repeat the same call of a workflow. Its records
        are stored once.

        Args:
            records: Any number. Encoded and deflated, they may take at most 1 MiB.
            target: The name of the target that they go to. Batcher workers know it from their
                `--targets`. The target `records` is the built-in table.
            deadline_seconds: After how many seconds to stop waiting. By default it waits until all
                records are decided.

        Raises:
            ApplicationError: Of type `Record`: a key is no text, a payload is no JSON, or there is
                too much for one call. Nothing was submitted. Of type `Deadline`: the deadline has
                passed. The message names the records without a verdict, which may be stored or not.
        """
        records = list(records)  # an iterator could be read only once
        if not records:
            return []
        submissions = await self._prepare(records, target)
        answers = await self.submit(submissions, deadline_seconds=deadline_seconds)
        return results_of([record.key or "" for record in records], answers)

    async def _prepare(self, records: Sequence[Record], target: str) -> list[Submission]:
        """Return the submissions of records. An activity prepares them if they are large.

        Raises:
            ApplicationError: A record cannot be submitted, or there is too much for one call.
        """
        try:
            texts = record_texts(records, self._template(target), self._settings.max_records)
        except RecordError as error:
            raise ApplicationError(str(error), type="Record", non_retryable=True) from None
        if texts.size <= PREPARED_IN_WORKFLOW:
            return prepare_submissions(texts)
        return unpack(await self._prepare_by_activity(texts))

    def _template(self, target: str) -> SubmissionHeader:
        """Return what the headers of one call have in common. Each call gets an id of its own."""
        info = workflow.info()
        self._inbox.writes += 1
        return SubmissionHeader(
            submission_id=f"{info.workflow_id}/write-{self._inbox.writes}",
            requester=info.workflow_id,
            records=0,
            length=0,
            source=self._source or info.workflow_type,
            shard=shard_for(info.workflow_id, self._shards),
            target=target,
        )

    async def _prepare_by_activity(self, texts: RecordTexts) -> bytes:
        """Prepare records, of one call after the other.

        One workflow task may record 4 MiB, several calls more. A timer ends the task.
        """
        async with self._inbox.preparation:
            try:
                packed: bytes = await workflow.execute_local_activity(
                    PREPARE_ACTIVITY,
                    texts,
                    result_type=bytes,
                    start_to_close_timeout=LONGEST_PREPARATION,
                    summary=count(len(texts.keys), "record"),
                )
            except ActivityError as error:
                if isinstance(error.cause, ApplicationError):
                    raise error.cause from None
                raise
            await workflow.sleep(SHORTEST_TIMER, summary="end of the workflow task")
        return packed

    async def submit(
        self, submissions: Sequence[Submission], *, deadline_seconds: float | None = None
    ) -> list[Verdicts]:
        """Have prepared submissions written, and return the verdicts of each, in their order.

        Args:
            submissions: Their ids stay the same however often they are sent.
            deadline_seconds: After how many seconds to stop waiting; None waits until all is
                decided.

        Raises:
            ApplicationError: The deadline has passed; the message names the records without a
                verdict.
        """
        if self._write_path in (WritePath.BATCHED, WritePath.QUEUED):
            return await self._until_answered.write(submissions, deadline_seconds=deadline_seconds)
        return await write_by_activity(
            self._write_path,
            submissions,
            linger_seconds=self._settings.linger_seconds,
            deadline_seconds=deadline_seconds,
        )
