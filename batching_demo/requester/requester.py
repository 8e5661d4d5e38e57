"""Have the records of a workflow stored, and learn what became of each."""

from collections.abc import Sequence
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from batching_demo.contracts.encoding import unpack
    from batching_demo.contracts.messages import Submission, SubmissionHeader, Verdicts
    from batching_demo.contracts.names import WritePath, shard_for
    from batching_demo.contracts.operations import BatcherSettings
    from batching_demo.requester.by_activity import write_by_activity
    from batching_demo.requester.by_signal import SignalWriter
    from batching_demo.requester.inbox import Inbox
    from batching_demo.requester.messages import PREPARE_ACTIVITY
    from batching_demo.requester.records import (
        Record,
        RecordError,
        RecordResult,
        RecordTexts,
        prepare_submissions,
        record_texts,
        results_of,
    )

PREPARED_IN_WORKFLOW = 32 * 1024
"""Characters. Larger payloads are prepared by an activity: workflow code has no time to burn."""
LONGEST_PREPARATION = timedelta(seconds=60)
SHORTEST_TIMER = timedelta(milliseconds=1)


class Requester:
    """Has the records of a workflow stored, and returns what became of each.

    Make one in the workflow's `@workflow.init` or `@workflow.run`; it registers its own signal
    handlers. The worker needs the `BatchingPlugin`.

    Args:
        settings: The batchers'. They bound submissions, and tell when an answer is overdue.
        shards: How many batchers run. A workflow sends its records to one of them.
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
        self._signals = SignalWriter(self._inbox, self._settings.linger_seconds)

    async def write(
        self, records: Sequence[Record], *, deadline_seconds: float | None = None
    ) -> list[RecordResult]:
        """Have records stored, and return the result of each, in their order.

        A record that cannot be stored does not fail: its result says why, and it is kept as a
        dead letter. The same call of a workflow may be repeated, by a replay or a reset; its
        records are stored once.

        Args:
            records: Any number that take at most 1 MiB as they travel, encoded and deflated.
            deadline_seconds: When to stop waiting. By default it waits until all are decided.

        Raises:
            ApplicationError: A key is no text, a payload no JSON, there is too much for one call,
                or the deadline passed; the message names the records. Those without a verdict may
                be stored or not.
        """
        if not records:
            return []
        submissions = await self._prepare(records)
        answers = await self.submit(submissions, deadline_seconds=deadline_seconds)
        return results_of([record.key for record in records], answers)

    async def _prepare(self, records: Sequence[Record]) -> list[Submission]:
        """Encode small records here, and others in an activity of the worker."""
        try:
            texts = record_texts(records, self._template(), self._settings.max_records)
        except RecordError as error:
            raise ApplicationError(str(error), type="Record", non_retryable=True) from None
        if texts.size <= PREPARED_IN_WORKFLOW:
            return prepare_submissions(texts)
        return unpack(await self._prepare_by_activity(texts))

    def _template(self) -> SubmissionHeader:
        info = workflow.info()
        self._inbox.writes += 1
        return SubmissionHeader(
            submission_id=f"{info.workflow_id}/write-{self._inbox.writes}",
            requester=info.workflow_id,
            records=0,
            length=0,
            source=self._source or info.workflow_type,
            shard=shard_for(info.workflow_id, self._shards),
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
                    summary=f"{len(texts.keys)} records",
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
        """Have prepared submissions written, and return the verdicts of each.

        Args:
            submissions: Their ids stay the same however often they are sent.
            deadline_seconds: When to stop waiting.

        Raises:
            ApplicationError: The deadline passed; the message names records without a verdict.
        """
        if self._write_path == WritePath.BATCHED:
            return await self._signals.write(submissions, deadline_seconds=deadline_seconds)
        return await write_by_activity(
            self._write_path,
            submissions,
            linger_seconds=self._settings.linger_seconds,
            deadline_seconds=deadline_seconds,
        )
