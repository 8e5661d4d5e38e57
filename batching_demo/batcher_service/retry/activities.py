"""Read a dead letter for its retry, and note in it what came of that."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from batching_demo.batcher_service.failures import database_failures_reported
from batching_demo.batcher_service.retry.messages import (
    RetryInput,
    RetryResult,
    pack_submission,
    retry_submission_id,
)
from batching_demo.batcher_service.retry.record import RetryRefusedError, record_again
from batching_demo.contracts.encoding import decode_records, encode_records
from batching_demo.contracts.messages import VERDICT_BY_CODE, SubmissionHeader, Verdicts
from batching_demo.database.dead_letter_queries import find_identity, note_attempt, read_letter
from batching_demo.database.dead_letters import identity
from batching_demo.database.errors import database_errors

logger = logging.getLogger(__name__)


class RetryActivities:
    """The activities of a retry, on one engine."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @activity.defn
    async def prepare_retry(self, retry_input: RetryInput, edited: bytes) -> bytes:
        """Make a submission of a letter's record, or of its corrected payload if there is one."""
        letter_id = retry_input.letter_id
        with _explained():
            found = await read_letter(self._engine, letter_id)
            if found is None:
                raise RetryRefusedError(f"there is no dead letter {letter_id}")
            letter, kept = found
            record = record_again(
                letter, kept, key=retry_input.key, edited=edited.decode() if edited else None
            )
        records = encode_records([record])
        header = SubmissionHeader(
            submission_id=retry_submission_id(letter_id, retry_input.attempt),
            requester=activity.info().workflow_id or "",
            records=1,
            length=len(records),
            source=letter.source,
            run_label=letter.run_label,
        )
        return pack_submission(header, records)

    @activity.defn
    async def note_retry(
        self, retry_input: RetryInput, answer: Verdicts, records: bytes
    ) -> RetryResult:
        """Note the verdict in the letter; of a record that was not stored, find its letter."""
        problem = next(iter(answer.problems), None)
        result = RetryResult(VERDICT_BY_CODE[answer.codes], answer.batch_id)
        with _explained():
            await note_attempt(
                self._engine,
                retry_input.letter_id,
                retry_input.attempt,
                is_stored=result.is_stored,
            )
            if problem:
                result = RetryResult(
                    verdict=result.verdict,
                    batch_id=answer.batch_id,
                    reason=problem.reason,
                    detail=problem.detail,
                    sqlstate=problem.sqlstate,
                    kept_as=await self._find_letter(problem.reason, records),
                )
        logger.info(
            "letter %d attempt %d: %s",
            retry_input.letter_id,
            retry_input.attempt,
            result.verdict.value,
        )
        return result

    async def _find_letter(self, reason: str, records: bytes) -> int | None:
        columns = decode_records(records)
        # A record with a key is told apart by that alone.
        sought = identity(reason, columns.keys[0], columns.payloads[0], source="", line=0)
        return await find_identity(self._engine, sought)


@contextmanager
def _explained() -> Iterator[None]:
    """Report failures without record contents; only the database's are worth another attempt."""
    try:
        with database_failures_reported(), database_errors():
            yield
    except RetryRefusedError as refusal:
        logger.warning("cannot retry: %s", refusal)
        raise ApplicationError(
            str(refusal),
            type="Refused",
            non_retryable=True,
            category=ApplicationErrorCategory.BENIGN,
        ) from None
